#include "convert/gguf_types.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "formats/regrid.h"
#include "tensor/float16.h"

namespace farthing::convert {
namespace {

using model::Slot;

// From the smallest: the first that holds a grid is taken.
constexpr std::string_view kGridTypes[] = {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0"};
constexpr std::string_view kFloatTypes[] = {"fp16", "bf16"};

constexpr std::string_view kNoGrid = "no type of GGUF has its grid";

bool is_float(const WeightScheme& scheme) {
  return scheme.element == Element::kF32 || scheme.element == Element::kBf16 ||
         scheme.element == Element::kF16;
}

bool is_gguf(const WeightScheme& scheme) { return is_float(scheme) || !scheme.block.empty(); }

WeightScheme scheme_of(std::string_view name) { return parse_scheme(name).weights; }

QuantizedTensor load(const model::TensorMap& map, const GgufItem& item, std::size_t slice) {
  return map.load(item.slices[slice].unit);
}

GridFit fit_of(const GgufItem& item, const model::TensorMap& map, const WeightScheme& scheme) {
  if (item.shape.cols % std::max<std::int64_t>(scheme.group_size, 1) != 0) return GridFit::kNone;
  GridFit fit = GridFit::kExact;
  for (std::size_t i = 0; i < item.slices.size() && fit != GridFit::kNone; ++i) {
    const QuantizedTensor source = load(map, item, i);
    fit = std::min(fit, grid_fit(source, scheme));
    map.checkpoint().release(source);
  }
  return fit;
}

// Whether all numbers are, or at least lie within the range of, those of a 16-bit float.
GridFit float_fit(const GgufItem& item, const model::TensorMap& map, const WeightScheme& scheme) {
  GridFit fit = GridFit::kExact;
  Matrix<float> row(1, item.shape.cols);
  for (std::size_t i = 0; i < item.slices.size(); ++i) {
    const QuantizedTensor source = load(map, item, i);
    for (std::int64_t r = 0; r < source.shape.rows; ++r) {
      source.format->dequantize(source, r, row.view());
      for (const float x : row.view().row(0)) {
        const float kept =
            scheme.element == Element::kF16 ? to_float(to_fp16(x)) : to_float(to_bf16(x));
        if (!std::isfinite(kept)) return GridFit::kNone;
        if (kept != x) fit = GridFit::kRounded;
      }
    }
    map.checkpoint().release(source);
  }
  return fit;
}

GgufTarget keep_grid(const GgufItem& item, const model::TensorMap& map) {
  std::optional<GgufTarget> near;
  for (const std::string_view name : kGridTypes) {
    const WeightScheme scheme = scheme_of(name);
    const GridFit fit = fit_of(item, map, scheme);
    if (fit == GridFit::kExact) return {.scheme = scheme, .move = Move::kRegrid};
    if (fit == GridFit::kRounded && !near)
      near = {.scheme = scheme, .move = Move::kRegrid, .note = "its scales are rounded to FP16"};
  }
  if (near) return *near;
  for (const std::string_view name : kFloatTypes) {
    const WeightScheme scheme = scheme_of(name);
    const GridFit fit = float_fit(item, map, scheme);
    if (fit == GridFit::kNone || (fit == GridFit::kRounded && near)) continue;
    near = {.scheme = scheme, .move = Move::kRound, .note = std::string(kNoGrid)};
    if (fit == GridFit::kExact) break;
  }
  if (near) return *near;
  return {.scheme = scheme_of("fp32"), .move = Move::kRound, .note = std::string(kNoGrid)};
}

GgufTarget keep_numbers(const GgufItem& item, const model::TensorMap& map) {
  const QuantizedTensor source = load(map, item, 0);
  if (is_gguf(source.scheme)) return {.scheme = source.scheme};
  return keep_grid(item, map);
}

// llama.cpp multiplies and adds these in FP32.
bool is_always_fp32(Slot slot) { return slot == Slot::kPositionEmbedding || slot == Slot::kRouter; }

GgufTarget as_type(const GgufItem& item, const model::TensorMap& map, const WeightScheme& source,
                   const WeightScheme& type) {
  GgufTarget target{.scheme = fit_to_row(type, item.shape.cols), .move = Move::kRound};
  if (target.scheme != type)
    target.note = fmt::format("rows of {} inputs are no whole blocks of {}", item.shape.cols,
                              scheme_name(type));
  if (target.scheme == source)
    target.move = Move::kCopy;
  else if (!is_float(target.scheme) && fit_of(item, map, target.scheme) == GridFit::kExact)
    target.move = Move::kRegrid;
  return target;
}

}  // namespace

GgufTarget choose_target(const GgufItem& item, const model::TensorMap& map,
                         const std::optional<WeightScheme>& type) {
  const WeightScheme source = load(map, item, 0).scheme;
  GgufTarget target;
  if (is_always_fp32(item.slot)) {
    target.scheme = scheme_of("fp32");
    target.move = source == target.scheme ? Move::kCopy : Move::kRound;
  } else {
    target = type ? as_type(item, map, source, *type) : keep_numbers(item, map);
  }
  target.from = scheme_name(source);
  return target;
}

std::optional<WeightScheme> parse_gguf_scheme(const std::string& type) {
  std::string name = type;
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto& [gguf, ours] : {std::pair{"f32", "fp32"}, {"f16", "fp16"}})
    if (name == gguf) name = ours;
  if (name.empty()) return std::nullopt;
  const WeightScheme scheme = parse_scheme(name).weights;
  if (!is_gguf(scheme) || find_format(scheme).quantize == nullptr) {
    std::vector<std::string_view> known;
    for (const Format& format : formats())
      if (format.named && format.quantize != nullptr && is_gguf(*format.named))
        known.push_back(format.name);
    usage_error("{} is no type of GGUF that can be made; known: {}", printable(type),
                join(known, ", "));
  }
  return scheme;
}

std::string gguf_type_name(const WeightScheme& scheme) {
  switch (scheme.element) {
    case Element::kF32:
      return "F32";
    case Element::kF16:
      return "F16";
    case Element::kBf16:
      return "BF16";
    default:
      break;
  }
  std::string name(scheme.block);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace farthing::convert
