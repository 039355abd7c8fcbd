#include "formats/parts.h"

#include <cmath>

#include "core/cursor.h"

namespace farthing {

void check_groups(Shape shape, const WeightScheme& scheme) {
  if (scheme.strategy != Strategy::kGroup) return;
  if (scheme.group_size <= 0 || shape.cols % scheme.group_size != 0)
    bad_input("groups of {} inputs must divide a row; the weight is ({}, {})", scheme.group_size,
              shape.rows, shape.cols);
}

Part make_part(std::string_view suffix, std::string_view dtype, std::int64_t rows,
               std::int64_t cols, std::int64_t element_bytes) {
  const std::uint64_t count =
      checked_multiply(static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(cols), suffix);
  return {suffix,
          dtype,
          {rows, cols},
          checked_multiply(count, static_cast<std::uint64_t>(element_bytes), suffix)};
}

Part scale_part(Shape shape, const WeightScheme& scheme) {
  const std::int64_t bytes = scale_bytes(scheme.scale);
  const std::string_view dtype = scale_dtype(scheme.scale);
  if (scheme.strategy == Strategy::kTensor)
    return {".weight_scale", dtype, {1}, static_cast<std::uint64_t>(bytes)};
  return make_part(".weight_scale", dtype, shape.rows, groups_of(scheme, shape.cols), bytes);
}

void check_finite(MatrixView<const float> rows, std::int64_t first_row) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const float* row = rows.row_data(r);
    float poison = 0;  // any NaN or infinity times zero is a NaN, which stays
    for (std::int64_t j = 0; j < rows.cols; ++j) poison += row[j] * 0.0f;
    if (poison == 0) continue;
    for (std::int64_t j = 0; j < rows.cols; ++j)
      if (!std::isfinite(row[j]))
        bad_input(
            "weights must be finite numbers; row {}, column {} is {}: the source is damaged, or a "
            "step before overflowed",
            first_row + r, j, row[j]);
  }
}

void check_scale(float scale, ScaleType type, std::int64_t row, std::int64_t column) {
  if (!std::isfinite(scale))
    bad_input(
        "the weights of row {} from column {} on need a scale beyond the range of {}: store the "
        "layer's scales as BF16 or FP32, or keep the layer in bf16",
        row, column, scale_dtype(type));
}

}  // namespace farthing
