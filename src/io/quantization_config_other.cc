// The quantization_config of GPTQ, AWQ and AutoRound checkpoints.
// References: AutoGPTQ's and GPTQModel's QuantizeConfig, transformers' AwqConfig, AutoRound's
// export to "auto_round:auto_gptq" and "auto_round:auto_awq".
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"
#include "io/quantization_config.h"

namespace farthing::io {
namespace {

// Methods that keep weights in ways of their own, by the names that config.json has for them.
constexpr std::array<std::string_view, 24> kForeign = {
    "bitsandbytes", "hqq",        "aqlm",       "quip",       "eetq",     "exl2",
    "exl3",         "fp8",        "fbgemm_fp8", "quanto",     "vptq",     "higgs",
    "spqr",         "torchao",    "bitnet",     "mxfp4",      "modelopt", "marlin",
    "gptq_marlin",  "awq_marlin", "qqq",        "squeezellm", "autobit",  "nvfp4"};

constexpr std::array<std::int64_t, 4> kGptqBits = {2, 3, 4, 8};

std::int64_t int_under(const Json& json, std::initializer_list<std::string_view> keys,
                       std::string_view where) {
  for (const std::string_view key : keys)
    if (json_find(json, key) != nullptr) return json_int(json, key, where);
  bad_input("{}: \"{}\" is missing", where, *keys.begin());
}

void set_bits(std::int64_t bits, bool awq, std::string_view where, WeightScheme& scheme) {
  if (awq && bits != 4) unsupported("{}: AWQ weights have 4 bits; found {}", where, bits);
  if (std::ranges::find(kGptqBits, bits) == kGptqBits.end())
    unsupported("{}: GPTQ weights may have {} bits; found {}", where, fmt::join(kGptqBits, ", "),
                bits);
  scheme.bits = static_cast<int>(bits);
}

void set_group(std::int64_t group, std::string_view where, WeightScheme& scheme) {
  if (group < -1 || group == 0 || group > (1 << 20))
    bad_input("{}: group_size must be -1 (a row) or from 1 to {}; found {}", where, 1 << 20, group);
  scheme.strategy = group > 0 ? Strategy::kGroup : Strategy::kChannel;
  scheme.group_size = group > 0 ? group : 0;
}

// The numbers that a module of its own may have otherwise.
void change(const Json& json, bool awq, std::string_view where, WeightScheme& scheme) {
  if (json_find(json, "bits") != nullptr)
    set_bits(json_int(json, "bits", where), awq, where, scheme);
  if (json_find(json, "group_size") != nullptr)
    set_group(json_int(json, "group_size", where), where, scheme);
  scheme.symmetric = json_bool(json, "sym", scheme.symmetric, where);
}

bool is_expression(std::string_view name) {
  return name.find_first_of("*+?[]()|^$\\") != std::string_view::npos;
}

WeightScheme common_scheme(const Json& json, bool awq, std::string_view where) {
  WeightScheme scheme;
  scheme.element = Element::kInt;
  set_bits(int_under(json, {"bits", "w_bit"}, where), awq, where, scheme);
  set_group(int_under(json, {"group_size", "q_group_size"}, where), where, scheme);
  scheme.symmetric = awq && json_find(json, "sym") == nullptr
                         ? !json_bool(json, "zero_point", true, where)
                         : json_bool(json, "sym", true, where);
  const std::string type = json_text(json, "data_type", "int", where);
  if (type != "int")
    unsupported("{}: weights of data_type \"{}\" cannot be read in this packing", where,
                printable(type));
  return scheme;
}

// Which of the two layouts AutoRound chose.
bool packs_as_awq(const Json& json, std::string_view where) {
  const std::string packing = json_text(
      json, "packing_format", json_text(json, "backend", "auto_round:auto_gptq", where), where);
  if (packing == "auto_round:auto_gptq" || packing == "auto_gptq") return false;
  if (packing == "auto_round:auto_awq" || packing == "auto_awq") return true;
  unsupported(
      "{}: the packing_format \"{}\" cannot be read; known are auto_round:auto_gptq and "
      "auto_round:auto_awq",
      where, printable(packing));
}

}  // namespace

void refuse_foreign_method(std::string_view method, std::string_view where) {
  if (std::ranges::find(kForeign, method) == kForeign.end()) return;
  unsupported(
      "{}: the quant_method \"{}\" keeps weights in a way of its own, which cannot be read; take "
      "the original model, or one in GPTQ, AWQ, compressed-tensors or GGUF",
      where, method);
}

QuantizationConfig QuantizationConfig::parse_other(const Json& json, QuantMethod method,
                                                   std::string_view where) {
  QuantizationConfig config;
  config.method_ = method;
  if (method == QuantMethod::kAutoRound)
    config.method_ = packs_as_awq(json, where) ? QuantMethod::kAwq : QuantMethod::kGptq;
  const bool awq = config.method_ == QuantMethod::kAwq;
  WeightScheme usual = common_scheme(json, awq, where);
  if (method == QuantMethod::kAwq) {
    const std::string version = json_text(json, "version", "gemm", where);
    if (version != "gemm" && version != "GEMM")
      unsupported("{}: AWQ's version \"{}\" cannot be read; only \"gemm\" can", where,
                  printable(version));
  }
  if (method == QuantMethod::kGptq) {
    const std::string format = json_text(json, "checkpoint_format", "", where);
    config.says_version_ = !format.empty();
    config.zeros_less_one_ = format != "gptq_v2";
    if (!format.empty() && format != "gptq" && format != "gptq_v2")
      unsupported("{}: the checkpoint_format \"{}\" cannot be read; known are gptq and gptq_v2",
                  where, printable(format));
  } else {
    config.says_version_ = config.zeros_less_one_ = true;  // AutoRound packs as AutoGPTQ did
  }
  config.schemes_.push_back({usual, std::nullopt});
  config.targets_.push_back({NamePattern("Linear", where), 0});
  config.targets_.push_back({NamePattern("Embedding", where), 0});
  config.read_exceptions(json_find(json, "dynamic"), awq, fmt::format("{}: dynamic", where));
  config.read_exceptions(json_find(json, "extra_config"), awq,
                         fmt::format("{}: extra_config", where));
  return config;
}

// GPTQModel's "dynamic": an expression ("+:" in front or nothing) and what it changes, or "-:" for
// modules that stay in float. AutoRound's "extra_config": names or expressions.
void QuantizationConfig::read_exceptions(const Json* table, bool awq, std::string_view where) {
  if (table == nullptr || table->is_null()) return;
  if (!table->is_object()) bad_input("{}: must be an object; found {}", where, json_shown(*table));
  const bool all_expressions = where.ends_with("dynamic");
  for (const auto& [key, value] : table->items()) {
    std::string name = key;
    const bool excluded = name.starts_with("-:");
    if (excluded || name.starts_with("+:")) name.erase(0, 2);
    if (all_expressions || is_expression(name)) name.insert(0, "re:");
    const std::string what = fmt::format("{}: {}", where, printable(key));
    if (!excluded && !value.is_object())
      bad_input("{}: must be an object; found {}", what, json_shown(value));
    if (excluded || json_int(value, "bits", 4, what) >= 16) {
      ignored_.emplace_back(name, what);
      continue;
    }
    LinearScheme scheme = schemes_.front();
    change(value, awq, what, scheme.weights);
    schemes_.push_back(scheme);
    targets_.push_back({NamePattern(name, what), schemes_.size() - 1});
  }
}

}  // namespace farthing::io
