// NF4 (Dettmers et al., QLoRA, 2023): 16 quantiles of the normal distribution, scaled by the
// largest magnitude of a group.
//   .weight_packed  U8 (rows, ceil(cols / 2)), the first of two inputs in the low nibble
//   .weight_scale   (rows, groups)
// Only Farthing reads it.
#include <cmath>

#include "formats/codebook.h"
#include "formats/packing.h"
#include "formats/parts.h"

namespace farthing {
namespace {

constexpr Levels kLevels = {-1.0f,
                            -0.6961928009986877f,
                            -0.5250730514526367f,
                            -0.39491748809814453f,
                            -0.28444138169288635f,
                            -0.18477343022823334f,
                            -0.09105003625154495f,
                            0.0f,
                            0.07958029955625534f,
                            0.16093020141124725f,
                            0.24611230194568634f,
                            0.33791524171829224f,
                            0.44070982933044434f,
                            0.5626170039176941f,
                            0.7229568362236023f,
                            1.0f};

bool holds(const WeightScheme& scheme) {
  return scheme.element == Element::kNf4 && scheme.symmetric &&
         scheme.strategy != Strategy::kTensor;
}

std::int64_t row_bytes(std::int64_t cols) { return (cols + 1) / 2; }

std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
  check_groups(shape, scheme);
  return {make_part(".weight_packed", "U8", shape.rows, row_bytes(shape.cols), 1),
          scale_part(shape, scheme)};
}

void read_grid(const QuantizedTensor& tensor, std::int64_t row, const GridRow& to) {
  const std::int64_t cols = tensor.shape.cols, scales = scale_index(tensor, row);
  unpack_bits(tensor.parts[0].view().data() + row * row_bytes(cols), 4, to.codes);
  for (std::int64_t g = 0; g < groups_of(tensor.scheme, cols); ++g)
    to.scales[index(g)] = load_scale(tensor.parts[1], scales + g, tensor.scheme.scale);
}

void write_grid(QuantizedTensor& tensor, std::int64_t row, const GridRow& from) {
  const std::int64_t cols = tensor.shape.cols, scales = scale_index(tensor, row);
  pack_bits(from.codes, 4, tensor.parts[0].writable().data() + row * row_bytes(cols));
  for (std::int64_t g = 0; g < groups_of(tensor.scheme, cols); ++g)
    store_scale(tensor.parts[1], scales + g, tensor.scheme.scale, from.scales[index(g)]);
}

void dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  const std::int64_t inputs = group_inputs(tensor.scheme, out.cols);
  std::vector<std::uint8_t> codes(index(out.cols));
  std::vector<float> scales(index(out.cols / inputs));
  for (std::int64_t r = 0; r < out.rows; ++r) {
    read_grid(tensor, first_row + r, {codes, scales, {}});
    float* to = out.row_data(r);
    for (std::int64_t j = 0; j < out.cols; ++j)
      to[j] = scales[index(j / inputs)] * kLevels[codes[index(j)]];
  }
}

void quantize(QuantizedTensor& tensor, std::int64_t first_row, MatrixView<const float> rows,
              const RoundOptions& options) {
  check_finite(rows, first_row);
  const auto inputs = index(group_inputs(tensor.scheme, rows.cols));
  std::vector<std::uint8_t> codes(index(rows.cols));
  std::vector<float> scales(index(rows.cols) / inputs);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::size_t g = 0; g < scales.size(); ++g) {
      const auto part = [&](auto all) { return all.subspan(g * inputs, inputs); };
      scales[g] = round_to_levels(
          kLevels, part(rows.row(r)),
          options.importance.empty() ? options.importance : part(options.importance),
          options.method, tensor.scheme.scale, part(std::span(codes)));
      check_scale(scales[g], tensor.scheme.scale, first_row + r,
                  static_cast<std::int64_t>(g * inputs));
    }
    write_grid(tensor, first_row + r, {codes, scales, {}});
  }
}

Grid grid(const QuantizedTensor& tensor) {
  Grid grid;
  grid.bits = 4;
  grid.group_size = group_inputs(tensor.scheme, tensor.shape.cols);
  grid.scales_are_f16 = tensor.scheme.scale == ScaleType::kF16;
  grid.codebook = kLevels.data();
  return grid;
}

}  // namespace

Format nf4_format() {
  return {"nf4", holds, parts, dequantize, quantize, grid, read_grid, write_grid};
}

}  // namespace farthing
