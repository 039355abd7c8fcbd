#include "io/quantization_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::io {
namespace {

// Formats whose tensors are read: .weight_packed, or .weight with .weight_scale.
constexpr std::string_view kMxfp4Format = "mxfp4-pack-quantized";
constexpr std::array<std::string_view, 7> kFormats = {
    "dense",           "pack-quantized",  "int-quantized", "float-quantized",
    "naive-quantized", "mixed-precision", kMxfp4Format};

std::string read_format(const Json& object, std::string_view otherwise, std::string_view where) {
  const std::string format = json_text(object, "format", otherwise, where);
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end())
    unsupported("{}: the format \"{}\" cannot be read; known are {}", where, printable(format),
                fmt::join(kFormats, ", "));
  return format;
}

// compressed-tensors' sparse formats bring their masks with them; nothing else is said of them.
bool is_bitmask(const Json* sparsity, std::string_view where) {
  if (sparsity == nullptr || !sparsity->is_object()) return false;
  const std::string format = json_text(*sparsity, "format", "", where);
  return format == "sparse-bitmask" || format == "sparse-24-bitmask";
}

void refuse_present(const Json& object, std::string_view key, std::string_view where) {
  const Json* value = json_find(object, key);
  // What compressed-tensors writes for weights that are not sparse.
  if (value != nullptr && value->is_object() && json_text(*value, "format", "", where) == "dense")
    return;
  if (value != nullptr && !(value->is_object() && value->empty()))
    unsupported("{}: \"{}\" is not supported; found {}", where, key, json_shown(*value));
}

struct ElementWord {
  std::string_view type;
  Element element;
  int lowest_bits, highest_bits;
  bool portable;  // compressed-tensors knows it, too
};
constexpr std::array kElements = {
    ElementWord{"int", Element::kInt, 2, 8, true},
    ElementWord{"float", Element::kF8e4m3, 8, 8, true},
    ElementWord{"nf4", Element::kNf4, 4, 4, false},
    ElementWord{"mxfp4", Element::kE2m1, 4, 4, false},
};

void read_element(const Json& args, QuantMethod method, std::string_view where, WeightScheme& out) {
  if (json_text(args, "type", "int", where) == "float" &&
      json_int(args, "num_bits", 8, where) == 4) {
    // OCP's MXFP4 is the one kind of 4-bit floats that runs; NVFP4 has groups of 16.
    if (json_int(args, "group_size", 0, where) != 32)
      unsupported("{}: floats of 4 bits can be read in groups of 32 (mxfp4); found groups of {}",
                  where, json_int(args, "group_size", 0, where));
    out.element = Element::kE2m1;
    out.bits = 4;
    return;
  }
  std::string type = json_text(args, "type", "int", where);
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c | 32 : c);
  });
  const std::int64_t bits = json_int(args, "num_bits", 8, where);
  for (const ElementWord& word : kElements) {
    if (word.type != type || (!word.portable && method != QuantMethod::kFarthing)) continue;
    if (bits < word.lowest_bits || bits > word.highest_bits)
      unsupported("{}: weights of type {} need num_bits from {} to {}; found {}", where, type,
                  word.lowest_bits, word.highest_bits, bits);
    out.element = word.element;
    out.bits = static_cast<int>(bits);
    return;
  }
  unsupported("{}: weights of type \"{}\" cannot be read", where, printable(type));
}

// strategy and group_size; either may be left out where the other tells it.
void read_strategy(const Json& args, std::string_view where, Strategy& strategy,
                   std::int64_t& group_size) {
  const std::int64_t group = json_int(args, "group_size", 0, where);
  if (group < -1 || group > (1 << 20))
    bad_input("{}: group_size must be -1 or from 1 to {}; found {}", where, 1 << 20, group);
  const std::string word = json_text(args, "strategy",
                                     group > 0     ? "group"
                                     : group == -1 ? "channel"
                                                   : "tensor",
                                     where);
  if (word == "group" && group < 1)
    bad_input("{}: the strategy group needs a group_size of at least 1; found {}", where, group);
  if (word != "group" && group > 0)
    bad_input("{}: group_size is for the strategy group; found \"{}\"", where, printable(word));
  if (word != "group" && word != "channel" && word != "tensor" && word != "token")
    unsupported("{}: the strategy \"{}\" is not supported; known are tensor, channel, group, token",
                where, printable(word));
  strategy = word == "group"    ? Strategy::kGroup
             : word == "tensor" ? Strategy::kTensor
                                : Strategy::kChannel;
  group_size = word == "group" ? group : 0;
}

bool is_dynamic(const Json& args, std::string_view where) {
  const Json* dynamic = json_find(args, "dynamic");
  if (dynamic != nullptr && dynamic->is_string())
    unsupported("{}: dynamic \"{}\" is not supported", where,
                printable(dynamic->get_ref<const std::string&>()));
  return json_bool(args, "dynamic", false, where);
}

// A GGUF block type by its name, in what `compress` keeps on the way to a GGUF file.
std::optional<WeightScheme> read_block(const Json& args, QuantMethod method,
                                       std::string_view where) {
  if (method != QuantMethod::kFarthing) return std::nullopt;
  const std::string type = json_text(args, "type", "int", where);
  for (const Format& format : formats())
    if (format.named && !format.named->block.empty() && format.name == type) return format.named;
  return std::nullopt;
}

WeightScheme read_weights(const Json& args, QuantMethod method, std::string_view where) {
  if (const auto block = read_block(args, method, where)) return *block;
  WeightScheme scheme;
  read_element(args, method, where, scheme);
  read_strategy(args, where, scheme.strategy, scheme.group_size);
  scheme.symmetric = json_bool(args, "symmetric", true, where);
  if (!scheme.symmetric) {
    const std::string zero = json_text(args, "zero_point", "integer", where);
    if (scheme.element != Element::kInt || (zero != "integer" && zero != "float"))
      unsupported("{}: only integer weights may be asymmetric, with integer or float zero points",
                  where);
    if (zero == "float" && method != QuantMethod::kFarthing)
      bad_input("{}: compressed-tensors has no float zero points", where);
    scheme.zero_point = zero == "float" ? ZeroPoint::kFloat : ZeroPoint::kInteger;
  }
  if (is_dynamic(args, where)) bad_input("{}: weights cannot be dynamic", where);
  refuse_present(args, "block_structure", where);
  return scheme;
}

// nullopt: in float, which keeps at least the precision that is asked for.
std::optional<ActivationScheme> read_activations(const Json* args, std::string_view where) {
  if (args == nullptr) return std::nullopt;
  if (json_text(*args, "type", "int", where) == "float") return std::nullopt;
  const std::int64_t bits = json_int(*args, "num_bits", 8, where);
  if (bits != 8 && bits != 16)
    unsupported("{}: integer activations may have 8 or 16 bits; found {}", where, bits);
  ActivationScheme scheme;
  scheme.mode = bits == 8 ? ActivationMode::kInt8 : ActivationMode::kInt16;
  read_strategy(*args, where, scheme.strategy, scheme.group_size);
  scheme.dynamic = is_dynamic(*args, where);
  if (!scheme.dynamic && scheme.strategy != Strategy::kTensor)
    unsupported("{}: static activations need the strategy tensor, one scale for all; found \"{}\"",
                where, printable(json_text(*args, "strategy", "group", where)));
  if (!json_bool(*args, "symmetric", true, where))
    unsupported("{}: asymmetric activations are not supported", where);
  return scheme;
}

std::string read_kv(const Json* args, std::string_view where) {
  if (args == nullptr) return "";
  const std::int64_t bits = json_int(*args, "num_bits", 8, where);
  if (json_text(*args, "type", "int", where) != "int" || (bits != 8 && bits != 4) ||
      !is_dynamic(*args, where))
    unsupported(
        "{}: keys and values can be kept as dynamic int8 or int4; this checkpoint asks for another "
        "kind",
        where);
  return bits == 8 ? "int8" : "int4";
}

QuantMethod read_method(const Json& json, std::string_view where) {
  const std::string method = json_text(json, "quant_method", "compressed-tensors", where);
  if (method == "compressed-tensors") return QuantMethod::kCompressedTensors;
  if (method == "farthing") return QuantMethod::kFarthing;
  if (method == "gptq") return QuantMethod::kGptq;
  if (method == "awq") return QuantMethod::kAwq;
  if (method == "auto-round" || method == "auto_round" || method == "intel/auto-round")
    return QuantMethod::kAutoRound;
  refuse_foreign_method(method, where);
  unsupported(
      "{}: the quant_method \"{}\" cannot be read; known are compressed-tensors, farthing, gptq, "
      "awq and auto-round",
      where, printable(method));
}

std::vector<std::string> read_names(const Json& object, std::string_view key,
                                    std::string_view where) {
  std::vector<std::string> names;
  const Json* list = json_find(object, key);
  if (list == nullptr) return names;
  if (!list->is_array()) bad_input("{}: \"{}\" must be a list of names", where, key);
  for (const Json& name : *list) {
    if (!name.is_string())
      bad_input("{}: \"{}\" must be a list of names; found {}", where, key, json_shown(name));
    names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace

std::string_view module_class(std::string_view base) {
  const std::string_view last = base.substr(base.rfind('.') + 1);  // npos + 1 is 0
  const bool embeds =
      last.find("embed") != std::string_view::npos || last == "wte" || last == "wpe";
  return embeds ? "Embedding" : "Linear";
}

QuantizationConfig QuantizationConfig::parse(const Json& json, std::string_view where) {
  const std::string what = fmt::format("{}: quantization_config", where);
  if (!json.is_object()) bad_input("{}: must be a JSON object; found {}", what, json_shown(json));
  QuantizationConfig config;
  config.method_ = read_method(json, what);
  if (config.method_ > QuantMethod::kFarthing) return parse_other(json, config.method_, what);
  const std::string format = read_format(json, "dense", what);
  const bool sparse = is_bitmask(json_find(json, "sparsity_config"), what);
  if (!sparse) refuse_present(json, "sparsity_config", what);
  refuse_present(json, "transform_config", what);
  config.kv_ = read_kv(json_find(json, "kv_cache_scheme"), what + ": kv_cache_scheme");
  const Json* groups = json_find(json, "config_groups");
  if (groups == nullptr && sparse) return config;  // floats, with a mask and no more
  if (groups == nullptr || !groups->is_object())
    bad_input("{}: \"config_groups\" must be an object; found {}", what,
              groups == nullptr ? "none" : json_shown(*groups));
  for (const auto& [name, group] : groups->items()) {
    const std::string group_name = fmt::format("{}: {}", what, printable(name));
    if (!group.is_object())
      unsupported("{}: preset schemes are not supported; write the group out", group_name);
    const std::string group_format = read_format(group, format, group_name);
    refuse_present(group, "output_activations", group_name);
    const Json* weights = json_find(group, "weights");
    if (weights == nullptr) unsupported("{}: has no \"weights\"", group_name);
    config.schemes_.push_back({read_weights(*weights, config.method_, group_name + ": weights"),
                               read_activations(json_find(group, "input_activations"),
                                                group_name + ": input_activations")});
    WeightScheme& scheme = config.schemes_.back().weights;
    scheme.plain = scheme.element == Element::kInt &&
                   (group_format == "int-quantized" || group_format == "naive-quantized");
    for (const std::string& target : read_names(group, "targets", group_name))
      config.targets_.push_back({NamePattern(target, group_name), config.schemes_.size() - 1});
  }
  for (const std::string& name : read_names(json, "ignore", what))
    config.ignored_.emplace_back(name, what);
  return config;
}

std::optional<LinearScheme> QuantizationConfig::find(std::string_view base) const {
  const std::string_view class_name = module_class(base);
  for (const NamePattern& ignored : ignored_)
    if (ignored.matches(base) || ignored.text() == class_name) return std::nullopt;
  const Target* best = nullptr;
  int best_rank = 3;
  for (const Target& target : targets_) {
    const bool by_name = target.pattern.matches(base);
    if (!by_name && target.pattern.text() != class_name) continue;
    const int rank = !by_name ? 2 : target.pattern.is_exact() ? 0 : 1;
    // Expressions that both match: compressed-tensors takes the first in the order of their
    // text, and of equal ones the last.
    if (rank < best_rank || (rank == best_rank && target.pattern.text() <= best->pattern.text()))
      best = &target, best_rank = rank;
  }
  if (best == nullptr) return std::nullopt;
  return schemes_[best->scheme];
}

}  // namespace farthing::io
