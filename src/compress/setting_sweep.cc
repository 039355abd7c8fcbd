#include "compress/setting_sweep.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "compress/step.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

constexpr std::string_view kExample =
    "as in alpha=0.3:0.9:0.1 or scheme=w4g32|w4g64,gptq.damping=0.01|0.1";
constexpr std::array<std::string_view, 7> kCommon = {"scheme",  "method", "activations", "kv",
                                                     "samples", "length", "seed"};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

double number(std::string_view text, std::string_view axis) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    usage_error("--sweep {}: a range is from:to:step in numbers; got {}", printable(axis),
                printable(text));
  return value;
}

// from, from + step, ... up to `to`, which rounding must not lose.
std::vector<std::string> range_values(std::string_view text, std::string_view axis) {
  const auto parts = split(text, ':');
  if (parts.size() != 3)
    usage_error("--sweep {}: a range is from:to:step; got {}", printable(axis), printable(text));
  const double from = number(parts[0], axis), to = number(parts[1], axis),
               step = number(parts[2], axis);
  const double steps = step > 0 && to >= from ? (to - from) / step + 1e-6 : -1;
  if (steps < 0 || steps >= static_cast<double>(kMostSweepPoints))
    usage_error("--sweep {}: a range goes up from:to:step in at most {} values; got {}",
                printable(axis), kMostSweepPoints, printable(text));
  std::vector<std::string> values;
  for (int i = 0; i <= static_cast<int>(steps); ++i)
    values.push_back(fmt::format("{:.6g}", from + i * step));
  return values;
}

// Which step of the recipe an axis speaks of.
StepSetting& find_step(Recipe& recipe, const SweepAxis& axis) {
  std::vector<StepSetting*> found;
  std::vector<std::string_view> owners, known(kCommon.begin(), kCommon.end());
  for (const StepRow& row : step_table()) {
    if (!axis.step.empty() && row.name != axis.step) continue;
    const bool has = std::ranges::find(row.keys, axis.key) != row.keys.end();
    if (has) owners.push_back(row.name);
    for (StepSetting& step : recipe.steps) {
      if (step.name != row.name) continue;
      known.insert(known.end(), row.keys.begin(), row.keys.end());
      if (has) found.push_back(&step);
    }
  }
  if (found.size() == 1) return *found.front();
  if (found.size() > 1)
    usage_error(
        "--sweep {}: {} have this option; write {}.{}", printable(axis.name()),
        [&] {
          std::vector<std::string_view> names;
          for (const StepSetting* step : found) names.push_back(step->name);
          return join(names, " and ");
        }(),
        found.front()->name, printable(axis.key));
  if (!owners.empty())
    usage_error("--sweep {}: is an option of {}, which the recipe does not have (its steps: {})",
                printable(axis.name()), join(owners, ", "), [&] {
                  std::vector<std::string_view> names;
                  for (const StepSetting& step : recipe.steps) names.push_back(step.name);
                  return names.empty() ? std::string("none") : join(names, ", ");
                }());
  const std::string nearest = nearest_name(axis.key, known);
  usage_error("--sweep {}: no such setting; known here: {}{}", printable(axis.name()),
              join(known, ", "), nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

void set_option(StepSetting& step, const std::string& key, const std::string& value) {
  step.options.kind = Setting::Kind::kMap;
  const Setting scalar = scalar_setting(value, "--sweep");
  for (SettingMember& member : step.options.members)
    if (member.key == key) {
      member.value = scalar;
      return;
    }
  step.options.members.push_back({key, scalar});
}

std::int64_t count_of(const SweepAxis& axis, const std::string& value, std::int64_t least) {
  return integer_of(scalar_setting(value, "--sweep"), axis.name(), least, 1'000'000'000);
}

void set_scheme(Recipe& recipe, const std::string& scheme) {
  bool found = false;
  for (LayerRule& rule : recipe.layers) {
    if (!rule.where.starts_with("--scheme") && !rule.where.starts_with("--preset")) continue;
    rule = make_rule(rule.match, scheme, rule.where);
    found = true;
  }
  if (found) return;
  if (recipe.layers.empty())
    recipe.layers.push_back(make_rule("re:.*", scheme, "--sweep"));
  else
    recipe.layers[0] = make_rule(recipe.layers[0].match, scheme, "--sweep");
}

void set(Recipe& recipe, const SweepAxis& axis, const std::string& value) {
  if (axis.step.empty() && std::ranges::find(kCommon, axis.key) != kCommon.end()) {
    if (axis.key == "scheme") return set_scheme(recipe, value);
    if (axis.key == "method") {
      recipe.steps = steps_of_method(value);
      return;
    }
    if (axis.key == "activations") {
      recipe.activations = parse_activation_mode(value);
      return;
    }
    if (axis.key == "kv") {
      check_kv_name(value, "--sweep kv");
      recipe.kv = value;
      return;
    }
    if (!recipe.calibration) recipe.calibration.emplace();
    if (axis.key == "samples") recipe.calibration->samples = count_of(axis, value, 1);
    if (axis.key == "length") recipe.calibration->length = count_of(axis, value, 1);
    if (axis.key == "seed") recipe.seed = recipe.calibration->seed = count_of(axis, value, 0);
    return;
  }
  set_option(find_step(recipe, axis), axis.key, value);
}

}  // namespace

std::vector<SweepAxis> parse_sweep(std::string_view text) {
  std::vector<SweepAxis> axes;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == part.size())
      usage_error("--sweep {}: must be SETTING=VALUES, {}", printable(text), kExample);
    SweepAxis axis;
    const std::string_view name = part.substr(0, equals), values = part.substr(equals + 1);
    const std::size_t dot = name.find('.');
    if (dot != std::string_view::npos) axis.step = std::string(name.substr(0, dot));
    axis.key = std::string(dot == std::string_view::npos ? name : name.substr(dot + 1));
    if (values.find(':') != std::string_view::npos) {
      axis.values = range_values(values, name);
    } else {
      for (const std::string_view value : split(values, '|')) {
        if (value.empty())
          usage_error("--sweep {}: a value is empty; {}", printable(part), kExample);
        axis.values.emplace_back(value);
      }
    }
    for (const SweepAxis& other : axes)
      if (other.name() == axis.name())
        usage_error("--sweep names {} twice; give all its values at once", printable(axis.name()));
    axes.push_back(std::move(axis));
  }
  // What replaces the steps goes before what sets their options.
  std::ranges::stable_partition(axes, [](const SweepAxis& a) { return a.key == "method"; });
  return axes;
}

std::string SweepPoint::name() const {
  std::string text;
  for (const auto& [axis, value] : settings)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", axis, value);
  return text;
}

std::vector<SweepPoint> sweep_points(const Recipe& recipe, const std::vector<SweepAxis>& axes) {
  std::vector<SweepPoint> points = {{.settings = {}, .recipe = recipe}};
  for (const SweepAxis& axis : axes) {
    if (points.size() * axis.values.size() > kMostSweepPoints)
      usage_error("--sweep makes more than {} combinations; take fewer values", kMostSweepPoints);
    std::vector<SweepPoint> more;
    for (const SweepPoint& point : points)
      for (const std::string& value : axis.values) {
        SweepPoint& made = more.emplace_back(point);
        made.settings.emplace_back(axis.name(), value);
        set(made.recipe, axis, value);
      }
    points = std::move(more);
  }
  for (const SweepPoint& point : points) {
    Recipe trial = point.recipe;
    make_steps(trial);  // a value that a step refuses is known before any work
  }
  return points;
}

}  // namespace farthing::compress
