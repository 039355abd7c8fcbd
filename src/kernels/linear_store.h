// The end of every linear kernel: one tile's sums of one token become outputs.
#pragma once

#include "kernels/linear_slice.h"

namespace farthing::kernels {
// Internal linkage: the files of several instruction sets include this, and the linker must not
// pick one's function for another.
namespace {

// y = scale * (sum + bias), or y += that: three roundings in this order on every path.
template <class S>
inline void store_tile(const LinearSlice& slice, std::int64_t tile, std::int64_t token,
                       const float* sums) {
  const std::int64_t row = tile * kTileRows;
  float* y = slice.y + token * slice.y_stride + (row - slice.first_row);
  const float* bias = slice.bias == nullptr ? nullptr : slice.bias + row;
  if (row + kTileRows <= slice.end_row) {
    auto value = S::load(sums);
    if (bias != nullptr) value = S::add(value, S::load(bias));
    value = S::mul(value, S::set(slice.scale));
    S::store(y, slice.accumulate ? S::add(S::load(y), value) : value);
    return;
  }
  for (std::int64_t i = 0; row + i < slice.end_row; ++i) {
    const float value = (bias != nullptr ? sums[i] + bias[i] : sums[i]) * slice.scale;
    y[i] = slice.accumulate ? y[i] + value : value;
  }
}

}  // namespace
}  // namespace farthing::kernels
