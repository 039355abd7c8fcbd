// Integers with a real zero point, as HQQ finds them before rounding: the parts of int_packed, but
//   .weight_zero_point  (rows, groups) in the type of the scales.
// Only Farthing reads it.
#include "formats/int_packed.h"

namespace farthing {
namespace {

struct FloatZero {
  static constexpr std::string_view kName = "int_float_zero";
  static constexpr bool kFloatZero = true;

  static bool holds(const WeightScheme& scheme) {
    return scheme.element == Element::kInt && scheme.block.empty() && !scheme.plain &&
           scheme.bits >= 2 && scheme.bits <= 8 && !scheme.symmetric &&
           scheme.zero_point == ZeroPoint::kFloat;
  }

  static std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
    std::vector<Part> parts = packed_parts(shape, scheme);
    Part zeros = parts[1];
    zeros.suffix = ".weight_zero_point";
    parts.insert(parts.begin() + 2, zeros);
    return parts;
  }

  static void load_codes(const QuantizedTensor& tensor, std::int64_t row,
                         std::span<std::uint8_t> codes) {
    load_packed_codes(tensor, row, codes);
  }
  static void store_codes(QuantizedTensor& tensor, std::int64_t row,
                          std::span<const std::uint8_t> codes) {
    store_packed_codes(tensor, row, codes);
  }
  static float load_zero(const QuantizedTensor& tensor, std::int64_t row, std::int64_t group) {
    return load_scale(tensor.parts[2], scale_index(tensor, row) + group, tensor.scheme.scale);
  }
  static void store_zero(QuantizedTensor& tensor, std::int64_t row, std::int64_t group,
                         float zero) {
    store_scale(tensor.parts[2], scale_index(tensor, row) + group, tensor.scheme.scale, zero);
  }
};

}  // namespace

Format int_float_zero_format() { return IntFormat<FloatZero>::row(); }

}  // namespace farthing
