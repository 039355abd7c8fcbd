// MXFP4 (OCP Microscaling Formats 1.0) in compressed-tensors' mxfp4-pack-quantized: E2M1 numbers in
// groups of 32 that share a power of two.
//   .weight_packed  U8 (rows, cols / 2), the first of two inputs in the low nibble
//   .weight_scale   U8 (rows, cols / 32), the exponent + 127
// The standard's rule for the exponent clips; here it is searched, algorithms.md 1.9.
#include <algorithm>
#include <cmath>

#include "formats/packing.h"
#include "formats/parts.h"

namespace farthing {
namespace {

constexpr int kGroup = 32;
// By code: sign bit, then magnitude.
constexpr float kLevels[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

bool holds(const WeightScheme& scheme) {
  return scheme.element == Element::kE2m1 && scheme.strategy == Strategy::kGroup &&
         scheme.group_size == kGroup && scheme.symmetric;
}

std::vector<Part> parts(Shape shape, const WeightScheme&) {
  if (shape.cols % kGroup != 0)
    bad_input("mxfp4 needs rows of a multiple of {} inputs; the weight is ({}, {}): use w4g16",
              kGroup, shape.rows, shape.cols);
  return {make_part(".weight_packed", "U8", shape.rows, shape.cols / 2, 1),
          make_part(".weight_scale", "U8", shape.rows, shape.cols / kGroup, 1)};
}

// 2^(stored - 127), stored 255 being a NaN by the standard.
float scale_of(std::uint8_t stored) {
  return stored == 255 ? std::nanf("") : std::ldexp(1.0f, stored - 127);
}

void read_grid(const QuantizedTensor& tensor, std::int64_t row, const GridRow& to) {
  const std::int64_t cols = tensor.shape.cols, groups = cols / kGroup;
  unpack_bits(tensor.parts[0].view().data() + row * cols / 2, 4, to.codes);
  for (std::int64_t g = 0; g < groups; ++g)
    to.scales[index(g)] =
        scale_of(load<std::uint8_t>(tensor.parts[1].view().data(), row * groups + g));
}

void write_grid(QuantizedTensor& tensor, std::int64_t row, const GridRow& from) {
  const std::int64_t cols = tensor.shape.cols, groups = cols / kGroup;
  pack_bits(from.codes, 4, tensor.parts[0].writable().data() + row * cols / 2);
  for (std::int64_t g = 0; g < groups; ++g) {
    const int exponent = std::clamp(std::ilogb(from.scales[index(g)]) + 127, 0, 254);
    store(tensor.parts[1].writable().data(), row * groups + g, static_cast<std::uint8_t>(exponent));
  }
}

void dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  std::vector<std::uint8_t> codes(index(out.cols));
  std::vector<float> scales(index(out.cols / kGroup));
  for (std::int64_t r = 0; r < out.rows; ++r) {
    read_grid(tensor, first_row + r, {codes, scales, {}});
    float* to = out.row_data(r);
    for (std::int64_t j = 0; j < out.cols; ++j)
      to[j] = scales[index(j / kGroup)] * kLevels[codes[index(j)]];
  }
}

// The nearest level, ties to the even code as the standard rounds.
std::uint8_t code_of(float x) {
  const float size = std::abs(x);
  const int magnitude = (size > 0.25f) + (size >= 0.75f) + (size > 1.25f) + (size >= 1.75f) +
                        (size > 2.5f) + (size >= 3.5f) + (size > 5.0f);
  return static_cast<std::uint8_t>(magnitude | (x < 0 && magnitude > 0 ? 8 : 0));
}

double error_of(const float* weights, const float* importance, float scale) {
  const float inverse = 1.0f / scale;
  double error = 0;
  for (int i = 0; i < kGroup; ++i) {
    const double wrong = static_cast<double>(weights[i]) -
                         static_cast<double>(scale * kLevels[code_of(weights[i] * inverse)]);
    error += (importance == nullptr ? 1.0 : static_cast<double>(importance[i])) * wrong * wrong;
  }
  return error;
}

// Exponents are kept within -125 .. 125, so that every product and inverse is an ordinary number.
float round_group(RoundMethod method, const float* weights, const float* importance,
                  std::uint8_t* codes) {
  float largest = 0;
  for (int i = 0; i < kGroup; ++i) largest = std::max(largest, std::abs(weights[i]));
  int best = 0;
  if (largest > 0) {
    // The least exponent that does not clip: 6 * 2^e reaches the largest.
    const int whole = std::ilogb(largest);
    const int middle =
        std::clamp(largest <= std::ldexp(1.5f, whole) ? whole - 2 : whole - 1, -124, 124);
    best = middle;
    double least = error_of(weights, importance, std::ldexp(1.0f, middle));
    for (const int exponent : {middle - 1, middle + 1}) {
      if (method == RoundMethod::kMinMax) break;
      const double error = error_of(weights, importance, std::ldexp(1.0f, exponent));
      if (!(error < least)) continue;
      least = error;
      best = exponent;
    }
  }
  const float scale = std::ldexp(1.0f, best);
  for (int i = 0; i < kGroup; ++i) codes[i] = code_of(weights[i] / scale);
  return scale;
}

void quantize(QuantizedTensor& tensor, std::int64_t first_row, MatrixView<const float> rows,
              const RoundOptions& options) {
  if (options.method == RoundMethod::kHqq)
    usage_error("HQQ looks for zero points and mxfp4 has none: use another method");
  check_finite(rows, first_row);
  std::vector<std::uint8_t> codes(index(rows.cols));
  std::vector<float> scales(index(rows.cols / kGroup));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::size_t g = 0; g < scales.size(); ++g)
      scales[g] =
          round_group(options.method, rows.row_data(r) + g * kGroup,
                      options.importance.empty() ? nullptr : options.importance.data() + g * kGroup,
                      codes.data() + g * kGroup);
    write_grid(tensor, first_row + r, {codes, scales, {}});
  }
}

Grid grid(const QuantizedTensor&) {
  Grid grid;
  grid.bits = 4;
  grid.group_size = kGroup;
  grid.codebook = kLevels;
  return grid;
}

}  // namespace

Format mxfp4_format() {
  Format format{"mxfp4", holds, parts, dequantize, quantize, grid, read_grid, write_grid};
  format.named = WeightScheme{
      .element = Element::kE2m1, .bits = 4, .strategy = Strategy::kGroup, .group_size = kGroup};
  return format;
}

}  // namespace farthing
