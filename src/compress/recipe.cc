#include "compress/recipe.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"
#include "io/mapped_file.h"

namespace farthing::compress {
namespace {

constexpr std::uint64_t kMaxRecipe = 4u << 20;

// An error of a name (usage, on the command line) is bad input when a file brings the name.
template <class F>
auto from_file(const std::string& where, F&& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(
        error.fault == Fault::kUsage ? Fault::kBadInput : error.fault,
        error.fault == Fault::kUsage ? fmt::format("{}: {}", where, error.what()) : error.what());
  }
}

ActivationMode read_mode(const Setting& setting) {
  const std::string& name = text_of(setting, "activations");
  return from_file(setting.where, [&] { return parse_activation_mode(name); });
}

LayerRule read_rule(const Setting& setting) {
  static constexpr std::array<std::string_view, 3> kKeys = {"match", "scheme", "activations"};
  check_keys(setting, "a rule of layers", kKeys);
  const Setting* match = setting.find("match");
  const Setting* scheme = setting.find("scheme");
  if (match == nullptr || scheme == nullptr)
    bad_input("{}: a rule of layers needs match and scheme; {} is missing", setting.where,
              match == nullptr ? "match" : "scheme");
  const std::string& name = text_of(*scheme, "scheme");
  LayerRule rule = from_file(
      scheme->where, [&] { return make_rule(text_of(*match, "match"), name, setting.where); });
  if (const Setting* mode = setting.find("activations")) rule.activations = read_mode(*mode);
  return rule;
}

// "rtn", "rtn: {}" (a map of one), each with options.
StepSetting read_step(const Setting& setting) {
  if (setting.kind == Setting::Kind::kScalar) return {setting.text, {}, setting.where};
  if (setting.kind != Setting::Kind::kMap || setting.members.size() != 1)
    bad_input("{}: a step must be a name, or a name with a map of its options; write one a line",
              setting.where);
  const auto& [name, options] = setting.members.front();
  if (options.kind != Setting::Kind::kMap && options.kind != Setting::Kind::kNull)
    bad_input("{}: the options of {} must be a map", options.where, printable(name));
  return {name, options, setting.where};
}

CalibrationSetting read_calibration(const Setting& setting) {
  static constexpr std::array<std::string_view, 5> kKeys = {"text", "samples", "length", "seed",
                                                            "first_token"};
  check_keys(setting, "calibration", kKeys);
  CalibrationSetting calibration;
  if (const Setting* text = setting.find("text")) {
    if (text->kind == Setting::Kind::kScalar)
      calibration.texts.push_back(text->text);
    else
      for (const Setting& item : list_of(*text, "text"))
        calibration.texts.push_back(text_of(item, "a text of calibration"));
  }
  const auto count = [&](std::string_view key, std::int64_t& number, std::int64_t least) {
    if (const Setting* value = setting.find(key))
      number = integer_of(*value, key, least, 1'000'000'000);
  };
  count("samples", calibration.samples, 1);
  count("length", calibration.length, 1);
  count("seed", calibration.seed, 0);
  if (const Setting* weight = setting.find("first_token")) {
    calibration.first_token = number_of(*weight, "first_token");
    if (!(calibration.first_token >= 0 && calibration.first_token <= 1e6))
      bad_input("{}: first_token is what the first token of a sample counts, from 0 to 1e6; got {}",
                weight->where, calibration.first_token);
  }
  return calibration;
}

FallbackSetting check_fallback(FallbackSetting fallback, std::string_view where) {
  parse_scheme(fallback.scheme);
  if (!(fallback.budget > 0 && fallback.budget <= 1))
    usage_error("{}: the budget of fallback is a share of the weights, above 0 and up to 1; got {}",
                where, fallback.budget);
  return fallback;
}

FallbackSetting read_fallback(const Setting& setting) {
  static constexpr std::array<std::string_view, 2> kKeys = {"to", "budget"};
  check_keys(setting, "fallback", kKeys);
  FallbackSetting fallback;
  if (const Setting* to = setting.find("to")) fallback.scheme = text_of(*to, "to of fallback");
  if (const Setting* budget = setting.find("budget"))
    fallback.budget = number_of(*budget, "budget of fallback");
  return from_file(setting.where, [&] { return check_fallback(fallback, setting.where); });
}

}  // namespace

FallbackSetting parse_fallback(std::string_view text, std::string_view where) {
  const std::size_t equals = text.find('=');
  FallbackSetting fallback{.scheme = std::string(text.substr(0, equals))};
  if (equals != std::string_view::npos) {
    const std::string share(text.substr(equals + 1));
    char* end = nullptr;
    fallback.budget = std::strtod(share.c_str(), &end);
    if (share.empty() || *end != '\0')
      usage_error("{} {}: must be SCHEME=SHARE, as in bf16=0.1", where, printable(text));
  }
  return check_fallback(fallback, where);
}

LayerRule make_rule(std::string match, std::string_view scheme, std::string where) {
  if (match.empty() || match == "re:")
    usage_error("{}: match must be a name or re: and a regular expression; it is empty", where);
  LayerRule rule;
  rule.match = std::move(match);
  rule.where = std::move(where);
  rule.scheme_text = std::string(scheme);
  rule.keep = scheme == "keep";
  if (!rule.keep) rule.scheme = parse_scheme(scheme);
  return rule;
}

LayerRule parse_layer_rule(std::string_view text, std::string_view where) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos)
    usage_error("{} {}: must be NAME=SCHEME or re:EXPRESSION=SCHEME, as in re:.*down_proj$=w8g32",
                where, printable(text));
  return make_rule(std::string(text.substr(0, equals)), text.substr(equals + 1),
                   std::string(where));
}

void check_kv_name(std::string_view name, std::string_view where) {
  static constexpr std::array<std::string_view, 4> kNames = {"bf16", "fp16", "int8", "int4"};
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
    usage_error("{}: the key-value cache is one of {}; got {}", where, join(kNames, ", "),
                printable(name));
}

Recipe parse_recipe(std::string_view text, std::string_view where) {
  static constexpr std::array<std::string_view, 8> kKeys = {
      "model", "calibration", "layers", "steps", "fallback", "activations", "kv", "seed"};
  const Setting root = parse_yaml(text, where);
  if (root.kind == Setting::Kind::kNull) bad_input("{}: the recipe is empty", where);
  check_keys(root, "a recipe", kKeys);
  Recipe recipe;
  if (const Setting* model = root.find("model")) recipe.model = text_of(*model, "model");
  if (const Setting* data = root.find("calibration")) recipe.calibration = read_calibration(*data);
  if (const Setting* layers = root.find("layers"))
    for (const Setting& rule : list_of(*layers, "layers")) recipe.layers.push_back(read_rule(rule));
  if (const Setting* steps = root.find("steps"))
    for (const Setting& step : list_of(*steps, "steps")) recipe.steps.push_back(read_step(step));
  if (const Setting* fallback = root.find("fallback")) recipe.fallback = read_fallback(*fallback);
  if (const Setting* mode = root.find("activations")) recipe.activations = read_mode(*mode);
  if (const Setting* kv = root.find("kv")) {
    recipe.kv = text_of(*kv, "kv");
    from_file(kv->where, [&] { return check_kv_name(recipe.kv, "kv"), 0; });
  }
  if (const Setting* seed = root.find("seed"))
    recipe.seed = integer_of(*seed, "seed", 0, INT64_MAX);
  return recipe;
}

Recipe read_recipe(const std::string& path) {
  return parse_recipe(io::read_text_file(path, kMaxRecipe), printable(path, 400));
}

}  // namespace farthing::compress
