#include "tune/alternatives.h"

#include <algorithm>
#include <array>

#include "compress/step.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::tune {
namespace {

using compress::Setting;
using compress::StepSetting;

// The steps that treat a matrix by itself, and the option that stands behind the equals sign.
struct Single {
  std::string_view step, value;
};
constexpr std::array kSingle = {Single{"rtn", ""}, Single{"gptq", ""},
                                Single{"magnitude", "sparsity"}, Single{"wanda", "sparsity"},
                                Single{"smooth", "alpha"}};

void set_option(StepSetting& step, std::string_view key, Setting value) {
  step.options.kind = Setting::Kind::kMap;
  step.options.where = step.where;
  step.options.members.push_back({std::string(key), std::move(value)});
}

// "wanda=2:4"
StepSetting parse_step(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view method = text.substr(0, equals);
  std::vector<StepSetting> steps = compress::steps_of_method(method);
  StepSetting step = std::move(steps.front());
  step.where = "--schemes";
  const auto single = std::ranges::find(kSingle, step.name, &Single::step);
  if (single == kSingle.end())
    usage_error(
        "--schemes: {} works on many matrices at once, so that it can be no alternative of one; "
        "rtn, search, shrink, minmax, gptq, gptaq, magnitude, wanda and smooth can",
        printable(method));
  if (equals != std::string_view::npos) {
    if (single->value.empty())
      usage_error("--schemes: {} takes no value; got {}", method, printable(text));
    set_option(step, single->value,
               compress::scalar_setting(std::string(text.substr(equals + 1)), "--schemes"));
  }
  if (step.name == "smooth")
    set_option(step, "multiply", compress::scalar_setting("each", "--schemes"));
  return step;
}

void parse_method(std::string_view text, Alternative& to) {
  for (const std::string& part : split(text, '+')) {
    StepSetting step = parse_step(part);
    if (step.name == "magnitude" || step.name == "wanda") {
      if (to.sparsity)
        usage_error("--schemes: {} takes weights out twice; keep one of them", printable(text));
      const Setting* sparsity = step.options.find("sparsity");
      to.sparsity = sparsity != nullptr ? compress::parse_sparsity(*sparsity)
                                        : compress::Sparsity{.ratio = 0.5};
    }
    to.steps.push_back(std::move(step));
  }
  const auto rounds = [](const StepSetting& step) {
    return step.name == "rtn" || step.name == "gptq";
  };
  if (std::ranges::count_if(to.steps, rounds) > 1)
    usage_error("--schemes: {} rounds the weights twice; keep one of them", printable(text));
  compress::Recipe recipe;  // finds what the steps themselves refuse
  recipe.steps = matched_steps(to.steps, {"re:.*"});
  compress::make_steps(recipe);
}

Alternative parse_weights(const std::string& text) {
  Alternative alternative{.name = text};
  const std::size_t sign = text.find('@');
  const std::string left = text.substr(0, sign);
  const std::size_t colon = left.find(':');
  const std::string scheme = left.substr(0, colon);
  if (colon != std::string::npos)
    alternative.activations = parse_activation_mode(left.substr(colon + 1));
  const QuantScheme parsed = parse_scheme(scheme);
  if (!parsed.weights.block.empty())
    usage_error("--schemes: {} is a block type of GGUF files, which an artefact cannot hold",
                printable(scheme));
  if (!parsed.activations.dynamic)
    usage_error(
        "--schemes: {} has static activations, whose ranges compress alone measures; w8a8 is "
        "dynamic",
        printable(scheme));
  if (sign != std::string::npos) parse_method(text.substr(sign + 1), alternative);
  return alternative;
}

void add(std::vector<Alternative>& to, Alternative alternative, std::string_view option) {
  for (const Alternative& other : to)
    if (other.name == alternative.name)
      usage_error("{}: {} is named twice", option, printable(alternative.name));
  to.push_back(std::move(alternative));
}

}  // namespace

std::string_view Alternative::scheme() const {
  return std::string_view(name).substr(0, name.find_first_of(":@"));
}

std::string_view Alternative::method() const {
  const std::size_t sign = name.find('@');
  return sign == std::string::npos ? std::string_view() : std::string_view(name).substr(sign + 1);
}

std::vector<StepSetting> matched_steps(const std::vector<StepSetting>& steps,
                                       const std::vector<std::string>& bases) {
  std::vector<StepSetting> made = steps;
  for (StepSetting& step : made) {
    Setting list;
    list.kind = Setting::Kind::kList;
    list.where = step.where;
    for (const std::string& base : bases)
      list.items.push_back(compress::scalar_setting(base, step.where));
    set_option(step, "match", std::move(list));
  }
  return made;
}

compress::LayerRule Alternative::rule(std::string match) const {
  compress::LayerRule made = compress::make_rule(std::move(match), std::string(scheme()), "tune");
  made.activations = activations;
  return made;
}

std::vector<Alternative> parse_alternatives(std::string_view names) {
  std::vector<Alternative> all = {{.name = std::string(kKeep), .keep = true}};
  for (const std::string& name : split(names, ',')) {
    if (name.empty())
      usage_error(
          "--schemes: names must be separated by single commas, as in w8g32,w4g64:int16; got "
          "\"{}\"",
          printable(names));
    if (name != kKeep) add(all, parse_weights(name), "--schemes");
  }
  return all;
}

std::vector<Alternative> parse_caches(std::string_view names) {
  std::vector<Alternative> all;
  for (const std::string& name : split(names, ',')) {
    compress::check_kv_name(name, "--caches");
    add(all, {.name = name, .keep = false, .activations = {}, .kv = kernels::parse_kv_type(name)},
        "--caches");
  }
  return all;
}

}  // namespace farthing::tune
