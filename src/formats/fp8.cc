// FP8 E4M3 weights as compressed-tensors' float-quantized keeps them: ".weight" in F8_E4M3 and one
// scale a row or a tensor.
#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/parts.h"
#include "formats/rounding.h"

namespace farthing {
namespace {

bool holds(const WeightScheme& scheme) { return scheme.element == Element::kF8e4m3; }

std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
  check_groups(shape, scheme);
  return {make_part(".weight", "F8_E4M3", shape.rows, shape.cols, 1), scale_part(shape, scheme)};
}

void dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  const std::int64_t inputs = group_inputs(tensor.scheme, out.cols);
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const std::int64_t row = first_row + r;
    const std::byte* from = tensor.parts[0].view().data() + row * tensor.shape.cols;
    float* to = out.row_data(r);
    std::int64_t scale_at = scale_index(tensor, row);
    for (std::int64_t begin = 0; begin < out.cols; begin += inputs, ++scale_at) {
      const float scale = load_scale(tensor.parts[1], scale_at, tensor.scheme.scale);
      for (std::int64_t j = begin; j < begin + inputs; ++j)
        to[j] = to_float(load<Fp8E4m3>(from, j)) * scale;
    }
  }
}

// To the nearest of the magnitudes up to 448, ties to the even mantissa.
std::uint8_t to_fp8(float x) {
  const auto sign = static_cast<std::uint8_t>(std::signbit(x) ? 0x80 : 0);
  const float size = std::min(std::abs(x), 448.0f);
  if (size < 0x1p-6f)  // subnormal: steps of 2^-9
    return static_cast<std::uint8_t>(sign | static_cast<int>(std::nearbyint(size * 512.0f)));
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(size);
  const std::uint32_t rounded = (bits + 0x7FFFFu + (bits >> 20 & 1u)) >> 20;
  return static_cast<std::uint8_t>(sign | (rounded - (120u << 3)));
}

// The largest weight of a row (or group) is put at 448; the method is of no account, since the
// steps are relative to the weight.
void quantize(QuantizedTensor& tensor, std::int64_t first_row, MatrixView<const float> rows,
              const RoundOptions&) {
  if (tensor.scheme.strategy == Strategy::kTensor)
    unsupported("one scale for a whole tensor is only read from files: use a scale per channel");
  check_finite(rows, first_row);
  const std::int64_t inputs = group_inputs(tensor.scheme, rows.cols);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::int64_t row = first_row + r;
    std::byte* to = tensor.parts[0].writable().data() + row * tensor.shape.cols;
    std::int64_t scale_at = scale_index(tensor, row);
    for (std::int64_t begin = 0; begin < rows.cols; begin += inputs, ++scale_at) {
      const float* from = rows.row_data(r) + begin;
      float largest = 0;
      for (std::int64_t j = 0; j < inputs; ++j) largest = std::max(largest, std::abs(from[j]));
      const float scale = largest == 0 ? 1.0f : round_scale(largest / 448.0f, tensor.scheme.scale);
      check_scale(scale, tensor.scheme.scale, row, begin);
      store_scale(tensor.parts[1], scale_at, tensor.scheme.scale, scale);
      for (std::int64_t j = 0; j < inputs; ++j)
        to[begin + j] = static_cast<std::byte>(to_fp8(from[j] / scale));
    }
  }
}

}  // namespace

Format fp8_format() {
  Format format{"fp8", holds, parts, dequantize, quantize};
  format.named = WeightScheme{.element = Element::kF8e4m3, .bits = 8};
  return format;
}

}  // namespace farthing
