#include "compress/learned_rounding.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kGrain = 8;  // rows that a thread takes

float sign_of(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }
void fill(MatrixView<float> m, float value) { std::fill_n(m.data, m.rows * m.cols, value); }

}  // namespace

LearnedRounding::LearnedRounding(Runtime& runtime, MatrixView<const float> weights,
                                 const WeightScheme& scheme, RoundMethod range,
                                 std::span<const float> importance)
    : scheme_(scheme),
      group_inputs_(scheme.strategy == Strategy::kGroup ? scheme.group_size : weights.cols),
      groups_(weights.cols / group_inputs_),
      // 8 bits within +-127, as the scheme says: the lowest code is not used.
      bottom_(scheme.symmetric && scheme.bits == 8 ? 1.0f : 0.0f),
      top_(static_cast<float>((1 << scheme.bits) - 1)) {
  const auto w = weights_.resize(weights.rows, weights.cols);
  const auto scales = scales_.resize(weights.rows, groups_);
  const auto zeros = zeros_.resize(weights.rows, groups_);
  runtime.parallel(weights.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    GroupRounder rounder(scheme, range, group_inputs_);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(group_inputs_));
    for (std::int64_t r = begin; r < end; ++r) {
      std::copy_n(weights.row_data(r), weights.cols, w.row_data(r));
      for (std::int64_t j = 0; j < weights.cols; ++j)
        if (!std::isfinite(weights.row_data(r)[j]))
          bad_input("row {}, column {}: the weight is {}; weights must be numbers", r, j,
                    weights.row_data(r)[j]);
      for (std::int64_t g = 0; g < groups_; ++g) {
        const auto at = static_cast<std::size_t>(g * group_inputs_), n = codes.size();
        const GroupGrid grid =
            rounder.round(weights.row(r).subspan(at, n),
                          importance.empty() ? importance : importance.subspan(at, n), codes);
        if (!std::isfinite(grid.scale))
          bad_input("row {}, columns from {}: the weights are beyond what a scale can hold", r, at);
        scales.row_data(r)[g] = grid.scale;
        zeros.row_data(r)[g] =
            scheme.symmetric ? static_cast<float>(1 << (scheme.bits - 1)) : grid.zero;
      }
    }
  });
  offsets_.resize(weights.rows, weights.cols);
  factors_.resize(weights.rows, groups_);
  reset();
}

void LearnedRounding::reset() {
  fill(offsets_.view(), 0.0f);
  fill(factors_.view(), 1.0f);
}

// The grid as it would be written: the scale rounded to its type.
LearnedRounding::Group LearnedRounding::group(std::int64_t row, std::int64_t g) const {
  const float scale = scales_.view().row_data(row)[g];
  const float moved = round_scale(scale * factors_.view().row_data(row)[g], scheme_.scale);
  return {std::isfinite(moved) ? moved : scale, zeros_.view().row_data(row)[g]};
}

float LearnedRounding::code(float weight, float offset, Group grid) const {
  if (grid.scale == 0 || weight == 0) return grid.zero;
  return std::clamp(std::nearbyintf(weight / grid.scale + offset) + grid.zero, bottom_, top_);
}

void LearnedRounding::apply(Runtime& runtime, MatrixView<float> rounded) const {
  runtime.parallel(rounded.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t g = 0; g < groups_; ++g) {
        const Group grid = group(r, g);
        for (std::int64_t j = g * group_inputs_; j < (g + 1) * group_inputs_; ++j)
          rounded.row_data(r)[j] = grid.scale * (code(weights_.view().row_data(r)[j],
                                                      offsets_.view().row_data(r)[j], grid) -
                                                 grid.zero);
      }
  });
}

void LearnedRounding::step(Runtime& runtime, MatrixView<const float> gradient, float rate) {
  runtime.parallel(gradient.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* w = weights_.view().row_data(r);
      float* offset = offsets_.view().row_data(r);
      for (std::int64_t g = 0; g < groups_; ++g) {
        const Group grid = group(r, g);
        if (grid.scale == 0) continue;
        double slope = 0;  // by the scale
        for (std::int64_t j = g * group_inputs_; j < (g + 1) * group_inputs_; ++j) {
          const float exact = w[j] / grid.scale;
          const float free = std::nearbyintf(exact + offset[j]) + grid.zero;
          const float held = code(w[j], offset[j], grid);
          const float d = gradient.row_data(r)[j];
          const bool clamped = free != held;
          slope += static_cast<double>(d) *
                   static_cast<double>(held - grid.zero - (clamped ? 0.0f : exact));
          if (!clamped)
            offset[j] = std::clamp(offset[j] - rate * sign_of(d * grid.scale), -0.5f, 0.5f);
        }
        float& factor = factors_.view().row_data(r)[g];
        factor = std::clamp(
            factor - rate * sign_of(static_cast<float>(slope) * scales_.view().row_data(r)[g]),
            0.5f, 1.5f);
      }
    }
  });
}

void LearnedRounding::write(std::int64_t row, QuantizedTensor& out, std::int64_t out_row) const {
  const std::int64_t inputs = weights_.shape().cols;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(inputs));
  std::vector<float> scales, offsets;
  const auto bias = static_cast<float>(1 << (scheme_.bits - 1));
  for (std::int64_t g = 0; g < groups_; ++g) {
    const Group grid = group(row, g);
    scales.push_back(grid.scale);
    offsets.push_back(grid.scale * (bias - grid.zero));
    for (std::int64_t j = g * group_inputs_; j < (g + 1) * group_inputs_; ++j)
      codes[static_cast<std::size_t>(j)] = static_cast<std::uint8_t>(
          code(weights_.view().row_data(row)[j], offsets_.view().row_data(row)[j], grid));
  }
  out.format->write_grid(out, out_row, {.codes = codes, .scales = scales, .offsets = offsets});
}

}  // namespace farthing::compress
