// Scheme names, and what a scheme becomes on a given row.
#include "formats/quant_scheme.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing {
namespace {

constexpr std::array<std::int64_t, 5> kGroups = {16, 32, 64, 128, 256};

WeightScheme grouped(Element element, int bits, std::int64_t group) {
  WeightScheme scheme;
  scheme.element = element;
  scheme.bits = bits;
  scheme.strategy = group > 0 ? Strategy::kGroup : Strategy::kChannel;
  scheme.group_size = group;
  return scheme;
}

ActivationScheme activations(ActivationMode mode, Strategy strategy, std::int64_t group,
                             bool dynamic = true) {
  return {mode, strategy, group, dynamic};
}

// Takes `prefix` off the front of the text.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "g64" gives 64, "c" gives 0.
std::optional<std::int64_t> take_group(std::string_view& text) {
  if (take(text, "c")) return 0;
  if (!take(text, "g")) return std::nullopt;
  std::int64_t group = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), group);
  if (error != std::errc{} || std::find(kGroups.begin(), kGroups.end(), group) == kGroups.end())
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return group;
}

// w8a8, w8a8g64, w8a8-static, w4a8g64.
std::optional<QuantScheme> parse_both(std::string_view text) {
  const bool four = text.starts_with("w4a8");
  if (!four && !text.starts_with("w8a8")) return std::nullopt;
  text.remove_prefix(4);
  QuantScheme scheme;
  std::int64_t group = 0;
  if (text.starts_with("g")) {
    const auto taken = take_group(text);
    if (!taken) return std::nullopt;
    group = *taken;
  } else if (four) {
    return std::nullopt;
  }
  scheme.weights = grouped(Element::kInt, four ? 4 : 8, group);
  scheme.weights.plain = !four;
  scheme.activations =
      activations(ActivationMode::kInt8, group > 0 ? Strategy::kGroup : Strategy::kChannel, group);
  if (group == 0 && take(text, "-static"))
    scheme.activations = activations(ActivationMode::kInt8, Strategy::kTensor, 0, false);
  if (!text.empty()) return std::nullopt;
  return scheme;
}

// w4g64, w8c, w3g32-asym, w4g64-asymf.
std::optional<WeightScheme> parse_weight_only(std::string_view text) {
  if (!take(text, "w") || text.empty() || text[0] < '2' || text[0] > '8') return std::nullopt;
  const int bits = text[0] - '0';
  text.remove_prefix(1);
  const auto group = take_group(text);
  if (!group) return std::nullopt;
  WeightScheme scheme = grouped(Element::kInt, bits, *group);
  if (take(text, "-asym")) {
    scheme.symmetric = false;
    scheme.zero_point = take(text, "f") ? ZeroPoint::kFloat : ZeroPoint::kInteger;
  }
  if (!text.empty()) return std::nullopt;
  return scheme;
}

std::optional<WeightScheme> parse_nf4(std::string_view text) {
  if (!take(text, "nf4")) return std::nullopt;
  const auto group = take_group(text);
  if (!group || !text.empty()) return std::nullopt;
  return grouped(Element::kNf4, 4, *group);
}

std::vector<std::string> all_names() {
  std::vector<std::string> names = {"w8a8", "w8a8-static"};
  for (const Format& format : formats())
    if (format.named) names.emplace_back(format.name);
  std::vector<std::string> groups = {"c"};
  for (const std::int64_t group : kGroups) groups.push_back(fmt::format("g{}", group));
  for (const std::string& group : groups) {
    names.push_back("nf4" + group);
    if (group != "c") names.insert(names.end(), {"w8a8" + group, "w4a8" + group});
    for (int bits = 2; bits <= 8; ++bits)
      for (const char* kind : {"", "-asym", "-asymf"})
        names.push_back(fmt::format("w{}{}{}", bits, group, kind));
  }
  return names;
}

std::string group_name(const WeightScheme& scheme) {
  if (scheme.strategy == Strategy::kGroup) return fmt::format("g{}", scheme.group_size);
  return scheme.strategy == Strategy::kChannel ? "c" : "t";
}

}  // namespace

QuantScheme parse_scheme(std::string_view name) {
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (const auto both = parse_both(lower)) return *both;
  std::optional<WeightScheme> weights;
  std::string own;
  for (const Format& format : formats()) {
    if (!format.named) continue;
    own += fmt::format("{} ", format.name);
    if (format.name == lower) weights = format.named;
  }
  if (!weights) weights = parse_nf4(lower);
  if (!weights) weights = parse_weight_only(lower);
  if (weights) return {*weights, resolve_activations(*weights, nullptr)};
  const std::vector<std::string> known = all_names();
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string near = nearest_name(lower, views);
  usage_error(
      "unknown scheme '{}'{}; known: {}and w2..w8 with c or g16 g32 g64 g128 g256 and -asym or "
      "-asymf "
      "at will (w4g64, w8c, w3g32-asym), w8a8 w8a8g64 w8a8-static w4a8g64, nf4g64",
      printable(name), near.empty() ? "" : fmt::format(" (did you mean {}?)", near), own);
}

std::string scheme_name(const WeightScheme& scheme) {
  if (!scheme.block.empty()) return std::string(scheme.block);
  switch (scheme.element) {
    case Element::kF32:
      return "fp32";
    case Element::kBf16:
      return "bf16";
    case Element::kF16:
      return "fp16";
    case Element::kF8e4m3:
      return scheme.strategy == Strategy::kChannel ? "fp8" : "fp8" + group_name(scheme);
    case Element::kE2m1:
      return scheme.group_size == 32 ? "mxfp4" : "mxfp4" + group_name(scheme);
    case Element::kNf4:
      return "nf4" + group_name(scheme);
    case Element::kIq4nl:
      return "iq4" + group_name(scheme);
    case Element::kInt:
      break;
  }
  const char* kind = scheme.symmetric                         ? ""
                     : scheme.zero_point == ZeroPoint::kFloat ? "-asymf"
                                                              : "-asym";
  if (scheme.plain && scheme.bits == 8 && scheme.strategy != Strategy::kTensor)
    return fmt::format("w8a8{}{}", scheme.strategy == Strategy::kGroup ? group_name(scheme) : "",
                       kind);
  return fmt::format("w{}{}{}", scheme.bits, group_name(scheme), kind);
}

std::string scheme_name(const QuantScheme& scheme) {
  std::string name = scheme_name(scheme.weights);
  if (scheme.weights.plain && !scheme.activations.dynamic) name += "-static";
  return name;
}

std::string_view activation_name(ActivationMode mode) {
  switch (mode) {
    case ActivationMode::kF32:
      return "fp32";
    case ActivationMode::kBf16:
      return "bf16";
    case ActivationMode::kInt16:
      return "int16";
    case ActivationMode::kInt8:
      return "int8";
  }
  return "";
}

ActivationMode parse_activation_mode(std::string_view name) {
  for (const ActivationMode mode :
       {ActivationMode::kF32, ActivationMode::kBf16, ActivationMode::kInt16, ActivationMode::kInt8})
    if (name == activation_name(mode)) return mode;
  usage_error("unknown activation mode '{}': use fp32, bf16, int16 or int8", printable(name));
}

namespace {

// What llama.cpp takes instead where a row is no whole number of super-blocks of 256 inputs.
struct SmallerBlock {
  std::string_view block, instead;
};
constexpr SmallerBlock kSmallerBlocks[] = {{"q2_k", "iq4_nl"},   {"q3_k", "iq4_nl"},
                                           {"iq4_xs", "iq4_nl"}, {"q4_k", "q5_0"},
                                           {"q5_k", "q5_1"},     {"q6_k", "q8_0"}};

WeightScheme fit_block_to_row(const WeightScheme& scheme, std::int64_t cols) {
  const auto smaller = std::find_if(std::begin(kSmallerBlocks), std::end(kSmallerBlocks),
                                    [&](const auto& row) { return row.block == scheme.block; });
  const bool is_super = smaller != std::end(kSmallerBlocks);
  if (cols % (is_super ? 256 : 32) == 0) return scheme;
  if (is_super && cols % 32 == 0) return parse_scheme(smaller->instead).weights;
  return parse_scheme("fp16").weights;
}

}  // namespace

WeightScheme fit_to_row(WeightScheme scheme, std::int64_t cols) {
  if (!scheme.block.empty()) return fit_block_to_row(scheme, cols);
  // mxfp4 has no other group to fall to: its format says what it needs.
  if (scheme.strategy != Strategy::kGroup || scheme.element == Element::kE2m1 ||
      cols % scheme.group_size == 0)
    return scheme;
  for (const std::int64_t group : {128, 64, 32, 16}) {
    if (group >= scheme.group_size || cols % group != 0) continue;
    scheme.group_size = group;
    return scheme;
  }
  scheme.strategy = Strategy::kChannel;
  scheme.group_size = 0;
  return scheme;
}

ActivationScheme resolve_activations(const WeightScheme& weights, const ActivationMode* wanted) {
  const Element element = weights.element;
  // NF4's levels are no multiples of one number, so no integer sum gives its products.
  const bool floats = element == Element::kF32 || element == Element::kBf16 ||
                      element == Element::kF16 || element == Element::kF8e4m3 ||
                      element == Element::kNf4;
  if (wanted == nullptr && weights.plain && weights.strategy != Strategy::kGroup)
    return activations(ActivationMode::kInt8, Strategy::kChannel, 0);
  ActivationScheme scheme;
  // A GGUF file fixes no mode, and its makers measured with others than INT8 (docs/adr/0030).
  const bool coarse = weights.bits <= 5 && weights.block.empty();
  scheme.mode = wanted != nullptr         ? *wanted
                : floats                  ? ActivationMode::kF32
                : coarse || weights.plain ? ActivationMode::kInt8
                                          : ActivationMode::kInt16;
  const std::int64_t group = weights.strategy == Strategy::kGroup ? weights.group_size : 0;
  if (group == 16 || group == 32 || group == 64 || group == 128) scheme.group_size = group;
  return scheme;
}

double bits_per_weight(const WeightScheme& scheme, std::int64_t cols) {
  // The difference of two heights leaves out what a tensor has only once.
  const Format& format = find_format(scheme);
  const auto bytes = [&](std::int64_t rows) {
    std::uint64_t sum = 0;
    for (const Part& part : format.parts({rows, cols}, scheme)) sum += part.bytes;
    return sum;
  };
  constexpr std::int64_t kRows = 32;
  return static_cast<double>(bytes(2 * kRows) - bytes(kRows)) * 8 /
         static_cast<double>(kRows * cols);
}

}  // namespace farthing
