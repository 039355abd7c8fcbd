#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"
#include "io/quantization_config.h"

namespace farthing::io {
namespace {

std::string_view type_word(const WeightScheme& scheme) {
  if (!scheme.block.empty()) return scheme.block;
  switch (scheme.element) {
    case Element::kInt:
      return "int";
    case Element::kF8e4m3:
      return "float";
    case Element::kNf4:
      return "nf4";
    case Element::kE2m1:
      return "mxfp4";
    case Element::kF32:
    case Element::kBf16:
    case Element::kF16:
    case Element::kIq4nl:
      break;
  }
  unsupported("a quantization_config cannot describe this weight format");
}

std::string_view strategy_word(Strategy strategy, std::string_view channel) {
  switch (strategy) {
    case Strategy::kTensor:
      return "tensor";
    case Strategy::kChannel:
      return channel;
    case Strategy::kGroup:
      return "group";
  }
  return channel;
}

Json write_args(int bits, std::string_view type, bool symmetric, std::string_view strategy,
                std::int64_t group_size, bool dynamic) {
  Json args = {{"num_bits", bits},      {"type", type},         {"symmetric", symmetric},
               {"group_size", nullptr}, {"strategy", strategy}, {"dynamic", dynamic}};
  if (group_size > 0) args["group_size"] = group_size;
  return args;
}

Json write_weights(const WeightScheme& scheme) {
  Json args = write_args(scheme.bits, type_word(scheme), scheme.symmetric,
                         strategy_word(scheme.strategy, "channel"), scheme.group_size, false);
  if (scheme.zero_point == ZeroPoint::kFloat) args["zero_point"] = "float";
  return args;
}

Json write_activations(const std::optional<ActivationScheme>& scheme) {
  if (!scheme) return nullptr;
  return write_args(scheme->mode == ActivationMode::kInt16 ? 16 : 8, "int", true,
                    strategy_word(scheme->strategy, "token"), scheme->group_size, scheme->dynamic);
}

// The layout that the tensors have.
std::string_view format_word(const LinearScheme& scheme) {
  if (scheme.weights.element != Element::kInt) return "float-quantized";
  return scheme.weights.plain ? "int-quantized" : "pack-quantized";
}

struct Group {
  LinearScheme scheme;
  std::vector<std::string_view> bases;
};

bool same(const LinearScheme& a, const LinearScheme& b) {
  WeightScheme left = a.weights;
  left.scale = b.weights.scale;  // told by the stored tensor, as is that of static activations
  if (a.activations.has_value() != b.activations.has_value() || left != b.weights) return false;
  ActivationScheme inputs = a.activations.value_or(ActivationScheme{});
  const ActivationScheme others = b.activations.value_or(ActivationScheme{});
  inputs.scale = others.scale;
  return inputs == others;
}

std::vector<Group> group_modules(std::span<const NamedScheme> modules) {
  std::vector<Group> groups;
  for (const NamedScheme& module : modules) {
    if (!module.scheme) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& g) { return same(g.scheme, *module.scheme); });
    if (group == groups.end()) group = groups.insert(group, Group{*module.scheme, {}});
    group->bases.push_back(module.base);
  }
  return groups;
}

}  // namespace

bool is_portable(const LinearScheme& scheme) {
  const WeightScheme& weights = scheme.weights;
  const bool known = (weights.element == Element::kInt && weights.bits >= 2 && weights.bits <= 8) ||
                     weights.element == Element::kF8e4m3;
  const bool plain = !scheme.activations || (scheme.activations->mode == ActivationMode::kInt8 &&
                                             weights.element == Element::kInt);
  return known && plain && weights.block.empty() && weights.zero_point != ZeroPoint::kFloat;
}

Json write_quantization_config(std::span<const NamedScheme> modules, QuantMethod method,
                               bool all_linears_named, std::string_view kv) {
  const std::vector<Group> groups = group_modules(modules);
  const bool portable = method == QuantMethod::kCompressedTensors;
  const auto largest = std::max_element(
      groups.begin(), groups.end(),
      [](const Group& a, const Group& b) { return a.bases.size() < b.bases.size(); });
  Json config_groups = Json::object();
  std::string_view format;
  bool mixed = false, class_used = false;
  for (auto group = groups.begin(); group != groups.end(); ++group) {
    if (portable && !is_portable(group->scheme))
      unsupported(
          "{}: compressed-tensors has no words for its weights and activations; write the "
          "artefact as Farthing's own kind",
          group->bases.front());
    const std::string_view own_format = format_word(group->scheme);
    mixed |= !format.empty() && format != own_format;
    format = own_format;
    const bool by_class = portable && all_linears_named && group == largest;
    class_used |= by_class;
    Json targets = Json::array();
    if (by_class) targets.push_back("Linear");
    for (const std::string_view base : group->bases)
      if (!by_class || module_class(base) != "Linear") targets.push_back(base);
    config_groups["group_" + std::to_string(group - groups.begin())] = {
        {"targets", std::move(targets)},
        {"weights", write_weights(group->scheme.weights)},
        {"input_activations", write_activations(group->scheme.activations)},
        {"output_activations", nullptr},
        {"format", own_format}};
  }
  Json ignore = Json::array();
  for (const NamedScheme& module : modules)
    if (!module.scheme && class_used) ignore.push_back(module.base);
  Json kv_scheme;
  if (!kv.empty()) kv_scheme = write_args(kv == "int4" ? 4 : 8, "int", true, "token", 0, true);
  return {{"quant_method", portable ? "compressed-tensors" : "farthing"},
          {"format", groups.empty() ? "dense"
                     : mixed        ? "mixed-precision"
                                    : format},
          {"quantization_status", "compressed"},
          {"config_groups", std::move(config_groups)},
          {"ignore", std::move(ignore)},
          {"kv_cache_scheme", std::move(kv_scheme)}};
}

}  // namespace farthing::io
