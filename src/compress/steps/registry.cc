// The table of steps, and the methods of the command line.
#include <algorithm>
#include <array>
#include <optional>

#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

// --method NAME: a step, perhaps with one option.
struct Method {
  std::string_view name, step, key, value;
};
constexpr std::array kMethods = {
    Method{"rtn", "rtn", "", ""},
    Method{"search", "rtn", "range", "search"},
    Method{"shrink", "rtn", "range", "shrink"},
    Method{"minmax", "rtn", "range", "minmax"},
    Method{"hqq", "hqq", "", ""},
    Method{"rotate", "rotate", "", ""},
    Method{"smooth", "smooth", "", ""},
    Method{"awq", "awq", "", ""},
    Method{"gptq", "gptq", "", ""},
    Method{"autoround", "autoround", "", ""},
    Method{"gptaq", "gptq", "asymmetric_calibration", "0.25"},
    Method{"magnitude", "magnitude", "", ""},
    Method{"wanda", "wanda", "", ""},
    Method{"wanda-owl", "wanda", "ratios", "owl"},
    Method{"sparsegpt", "sparsegpt", "", ""},
    Method{"sparsegpt-owl", "sparsegpt", "ratios", "owl"},
    Method{"drop-layers", "drop_layers", "", ""},
    Method{"drop-layers-kl", "drop_layers", "score", "kl"},
    Method{"drop-channels", "drop_channels", "", ""},
    Method{"drop-heads", "drop_heads", "", ""},
    Method{"drop-channels-taylor", "drop_channels", "score", "taylor"},
    Method{"drop-heads-taylor", "drop_heads", "score", "taylor"},
    Method{"drop-experts", "drop_experts", "", ""},
    Method{"split-vocabulary", "split_vocabulary", "", ""},
};

Setting option(std::string_view key, std::string_view value, const std::string& where) {
  Setting options;
  options.kind = Setting::Kind::kMap;
  options.where = where;
  options.members.push_back({std::string(key), scalar_setting(std::string(value), where)});
  return options;
}

std::vector<std::string_view> step_names() {
  std::vector<std::string_view> names;
  for (const StepRow& row : step_table()) names.push_back(row.name);
  return names;
}

const StepRow& find_step(const StepSetting& setting) {
  for (const StepRow& row : step_table())
    if (row.name == setting.name) return row;
  const auto names = step_names();
  const std::string nearest = nearest_name(setting.name, names);
  bad_input("{}: unknown step \"{}\"; known: {}{}", setting.where, printable(setting.name),
            join(names, ", "), nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

StepSetting step_of(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Method& method : kMethods) {
    names.push_back(method.name);
    if (method.name != name) continue;
    StepSetting setting{std::string(method.step), {}, "--method"};
    if (!method.key.empty()) setting.options = option(method.key, method.value, "--method");
    return setting;
  }
  usage_error("--method: unknown method \"{}\"; known: {}; several are joined by +, as awq+gptq",
              printable(name), join(names, ", "));
}

}  // namespace

std::span<const StepRow> step_table() {
  static const std::array kTable = {
      round_to_nearest_step(), hqq_step(),         rotate_step(),
      smooth_step(),           awq_step(),         gptq_step(),
      magnitude_step(),        wanda_step(),       sparsegpt_step(),
      autoround_step(),        drop_layers_step(), drop_channels_step(),
      drop_heads_step(),       drop_experts_step(), split_vocabulary_step()};
  return kTable;
}

namespace {

// Takes "match" out of the options of a step that rounds, for which make_steps() reads it.
std::optional<Setting> take_match(const StepRow& row, Setting& options) {
  if (!row.can_match || options.kind != Setting::Kind::kMap) return std::nullopt;
  std::optional<Setting> match;
  std::erase_if(options.members, [&](SettingMember& member) {
    if (member.key != "match") return false;
    match = std::move(member.value);
    return true;
  });
  return match;
}

StepSetting default_rounding(std::span<const std::unique_ptr<Step>> steps) {
  StepSetting nearest{"rtn", {}, "the default"};
  const bool has_data = std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    return step->transform_statistics() != calibrate::kNoStatistics;
  });
  if (has_data) nearest.options = option("importance", "activations", nearest.where);
  return nearest;
}

}  // namespace

std::vector<std::unique_ptr<Step>> make_steps(Recipe& recipe) {
  std::vector<std::unique_ptr<Step>> steps;
  const StepSetting* rounding = nullptr;
  std::size_t first_matched = recipe.steps.size();
  for (const StepSetting& setting : recipe.steps) {
    const StepRow& row = find_step(setting);
    Setting options = setting.options;
    const auto match = take_match(row, options);
    if (options.kind == Setting::Kind::kMap) check_keys(options, "step " + setting.name, row.keys);
    if (match) {
      first_matched = std::min(first_matched, steps.size());
    } else if (row.rounds) {
      if (rounding != nullptr)
        bad_input("{}: {} rounds the weights that {} has rounded already; keep one of them",
                  setting.where, setting.name, rounding->name);
      if (first_matched < steps.size())
        bad_input("{}: {} rounds all weights and must stand before {}, which rounds some anew",
                  setting.where, setting.name, recipe.steps[first_matched].name);
      rounding = &setting;
    }
    steps.push_back(row.make(options));
    if (match) steps.back() = matched_step(std::move(steps.back()), *match);
    if (steps.back()->rotates() && std::ranges::any_of(steps, [&](const auto& step) {
          return step != steps.back() && step->transforms();
        }))
      bad_input("{}: {} must stand before all steps that change weights", setting.where,
                setting.name);
  }
  if (rounding == nullptr) {
    const StepSetting nearest = default_rounding(steps);
    const auto place = static_cast<std::ptrdiff_t>(first_matched);
    recipe.steps.insert(recipe.steps.begin() + place, nearest);
    steps.insert(steps.begin() + place, find_step(nearest).make(nearest.options));
  }
  return steps;
}

std::vector<StepSetting> steps_of_method(std::string_view name) {
  std::vector<StepSetting> steps;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('+', begin), name.size());
    steps.push_back(step_of(name.substr(begin, end - begin)));
    begin = end + 1;
  }
  return steps;
}

void set_sparsity(std::vector<StepSetting>& steps, std::string_view text) {
  bool found = false;
  for (StepSetting& step : steps) {
    const StepRow& row = find_step(step);
    if (std::find(row.keys.begin(), row.keys.end(), "sparsity") == row.keys.end()) continue;
    found = true;
    Setting value = option("sparsity", text, "--sparsity");
    if (step.options.kind != Setting::Kind::kMap)
      step.options = std::move(value);
    else
      step.options.members.insert(step.options.members.begin(), value.members.front());
  }
  if (!found)
    usage_error(
        "--sparsity {}: no step takes weights out; add one to --method: magnitude, wanda, "
        "wanda-owl, sparsegpt, sparsegpt-owl, drop-layers, drop-layers-kl, drop-channels, "
        "drop-heads (both also with -taylor), drop-experts",
        printable(text));
}

}  // namespace farthing::compress
