// compressed-tensors' int-quantized (W8A8): one signed byte a weight.
//   .weight             I8 (rows, cols), code - 2^(bits-1)
//   .weight_scale       (rows, groups)
//   .weight_zero_point  I8 (rows, groups), asymmetric only
#include "formats/int_grid.h"

namespace farthing {
namespace {

struct Plain {
  static constexpr std::string_view kName = "int_plain";
  static constexpr bool kFloatZero = false;

  static bool holds(const WeightScheme& scheme) {
    return scheme.element == Element::kInt && scheme.block.empty() && scheme.plain &&
           scheme.bits >= 2 && scheme.bits <= 8 &&
           scheme.zero_point == (scheme.symmetric ? ZeroPoint::kNone : ZeroPoint::kInteger);
  }

  static std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
    check_groups(shape, scheme);
    std::vector<Part> parts = {make_part(".weight", "I8", shape.rows, shape.cols, 1),
                               scale_part(shape, scheme)};
    if (!scheme.symmetric)
      parts.push_back(scheme.strategy == Strategy::kTensor
                          ? Part{".weight_zero_point", "I8", {1}, 1}
                          : make_part(".weight_zero_point", "I8", shape.rows,
                                      groups_of(scheme, shape.cols), 1));
    return parts;
  }

  // A file's byte may lie outside the grid of fewer than 8 bits; it is cut to `bits` bits.
  static void load_codes(const QuantizedTensor& tensor, std::int64_t row,
                         std::span<std::uint8_t> codes) {
    const auto* from = tensor.parts[0].as<std::uint8_t>() + row * tensor.shape.cols;
    const int bias = grid_bias(tensor.scheme), mask = 2 * bias - 1;
    for (std::size_t j = 0; j < codes.size(); ++j)
      codes[j] = static_cast<std::uint8_t>((from[j] + bias) & mask);
  }
  static void store_codes(QuantizedTensor& tensor, std::int64_t row,
                          std::span<const std::uint8_t> codes) {
    std::byte* to = tensor.parts[0].writable().data() + row * tensor.shape.cols;
    const int bias = grid_bias(tensor.scheme);
    for (std::size_t j = 0; j < codes.size(); ++j) to[j] = static_cast<std::byte>(codes[j] - bias);
  }

  static float load_zero(const QuantizedTensor& tensor, std::int64_t row, std::int64_t group) {
    const auto stored =
        load<std::int8_t>(tensor.parts[2].view().data(), scale_index(tensor, row) + group);
    return static_cast<float>(stored + grid_bias(tensor.scheme));
  }
  static void store_zero(QuantizedTensor& tensor, std::int64_t row, std::int64_t group,
                         float zero) {
    const int stored = static_cast<int>(zero) - grid_bias(tensor.scheme);
    store(tensor.parts[2].writable().data(), scale_index(tensor, row) + group,
          static_cast<std::int8_t>(stored));
  }
};

}  // namespace

Format int_plain_format() { return IntFormat<Plain>::row(); }

}  // namespace farthing
