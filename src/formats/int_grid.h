// The part of the integer formats that does not depend on where codes and zero points lie: a
// Layout says that, this makes the row of the table.
//   weight = scale * (code - zero), codes 0 .. 2^bits - 1, in parts[0] codes, parts[1] scales,
//   parts[2] zero points when asymmetric. Symmetric grids have the zero 2^(bits-1).
#pragma once

#include <cmath>

#include "formats/parts.h"
#include "formats/rounding.h"

namespace farthing {

inline int grid_bias(const WeightScheme& scheme) { return 1 << (scheme.bits - 1); }

// struct Layout {
//   static constexpr std::string_view kName;
//   static bool holds(const WeightScheme&);
//   static std::vector<Part> parts(Shape, const WeightScheme&);
//   static void load_codes(const QuantizedTensor&, std::int64_t row, std::span<std::uint8_t>);
//   static void store_codes(QuantizedTensor&, std::int64_t row, std::span<const std::uint8_t>);
//   static float load_zero(const QuantizedTensor&, std::int64_t row, std::int64_t group);
//   static void store_zero(QuantizedTensor&, std::int64_t row, std::int64_t group, float zero);
//   static constexpr bool kFloatZero;   // weight = scale * (code - bias) + scale * (bias - zero)
// };
template <class Layout>
struct IntFormat {
  static float zero_of(const QuantizedTensor& tensor, std::int64_t row, std::int64_t group) {
    if (tensor.scheme.symmetric) return static_cast<float>(grid_bias(tensor.scheme));
    return Layout::load_zero(tensor, row, group);
  }

  static void dequantize(const QuantizedTensor& tensor, std::int64_t first_row,
                         MatrixView<float> out) {
    const std::int64_t inputs = group_inputs(tensor.scheme, out.cols);
    const auto bias = static_cast<float>(grid_bias(tensor.scheme));
    std::vector<std::uint8_t> codes(index(out.cols));
    for (std::int64_t r = 0; r < out.rows; ++r) {
      const std::int64_t row = first_row + r, scales = scale_index(tensor, row);
      Layout::load_codes(tensor, row, codes);
      float* to = out.row_data(r);
      for (std::int64_t g = 0; g * inputs < out.cols; ++g) {
        const float scale = load_scale(tensor.parts[1], scales + g, tensor.scheme.scale);
        const float zero = zero_of(tensor, row, g);
        const std::uint8_t* code = codes.data() + g * inputs;
        float* group = to + g * inputs;
        if constexpr (Layout::kFloatZero) {
          const float offset = scale * (bias - zero);
          for (std::int64_t j = 0; j < inputs; ++j)
            group[j] = scale * (static_cast<float>(code[j]) - bias) + offset;
        } else {
          for (std::int64_t j = 0; j < inputs; ++j)
            group[j] = (static_cast<float>(code[j]) - zero) * scale;
        }
      }
    }
  }

  static void quantize(QuantizedTensor& tensor, std::int64_t first_row,
                       MatrixView<const float> rows, const RoundOptions& options) {
    if (tensor.scheme.strategy == Strategy::kTensor)
      unsupported("one scale for a whole tensor is only read from files: use a scale per channel");
    check_finite(rows, first_row);
    const std::int64_t inputs = group_inputs(tensor.scheme, rows.cols);
    GroupRounder rounder(tensor.scheme, options.method, inputs);
    std::vector<std::uint8_t> codes(index(rows.cols));
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      const std::int64_t row = first_row + r, scales = scale_index(tensor, row);
      const std::span<const float> weights = rows.row(r);
      for (std::int64_t g = 0; g * inputs < rows.cols; ++g) {
        const auto begin = index(g * inputs), count = index(inputs);
        const GroupGrid grid =
            rounder.round(weights.subspan(begin, count),
                          options.importance.empty() ? options.importance
                                                     : options.importance.subspan(begin, count),
                          std::span(codes).subspan(begin, count));
        check_scale(grid.scale, tensor.scheme.scale, row, g * inputs);
        store_scale(tensor.parts[1], scales + g, tensor.scheme.scale, grid.scale);
        if (!tensor.scheme.symmetric) Layout::store_zero(tensor, row, g, grid.zero);
      }
      Layout::store_codes(tensor, row, codes);
    }
  }

  static Grid grid(const QuantizedTensor& tensor) {
    Grid grid;
    grid.bits = tensor.scheme.bits;
    grid.bias = grid_bias(tensor.scheme);
    grid.group_size = group_inputs(tensor.scheme, tensor.shape.cols);
    grid.has_offsets = !tensor.scheme.symmetric;
    grid.scales_are_f16 = tensor.scheme.scale == ScaleType::kF16;
    return grid;
  }

  static void read_grid(const QuantizedTensor& tensor, std::int64_t row, const GridRow& to) {
    const auto bias = static_cast<float>(grid_bias(tensor.scheme));
    const std::int64_t scales = scale_index(tensor, row);
    Layout::load_codes(tensor, row, to.codes);
    for (std::int64_t g = 0; g < groups_of(tensor.scheme, tensor.shape.cols); ++g) {
      const float scale = load_scale(tensor.parts[1], scales + g, tensor.scheme.scale);
      to.scales[index(g)] = scale;
      if (!tensor.scheme.symmetric) to.offsets[index(g)] = scale * (bias - zero_of(tensor, row, g));
    }
  }

  static void write_grid(QuantizedTensor& tensor, std::int64_t row, const GridRow& from) {
    const auto bias = static_cast<float>(grid_bias(tensor.scheme));
    const std::int64_t scales = scale_index(tensor, row);
    Layout::store_codes(tensor, row, from.codes);
    for (std::int64_t g = 0; g < groups_of(tensor.scheme, tensor.shape.cols); ++g) {
      const float scale = from.scales[index(g)];
      store_scale(tensor.parts[1], scales + g, tensor.scheme.scale, scale);
      if (tensor.scheme.symmetric) continue;
      // Not finite where a file's scale is 0 or no number.
      const float steps = from.offsets[index(g)] / scale;
      const float zero = std::isfinite(steps) ? bias - steps : bias;
      Layout::store_zero(tensor, row, g, round_zero(zero, tensor.scheme));
    }
  }

  static Format row() {
    return {Layout::kName, Layout::holds, Layout::parts, dequantize,
            quantize,      grid,          read_grid,     write_grid};
  }
};

}  // namespace farthing
