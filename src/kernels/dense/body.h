// The one body of the dense product; S is an instruction set of simd/float_*.h.
#pragma once

#include "kernels/dense/product_kernels.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// R rows of C in registers.
template <class S, int R, bool kWhole>
inline void strip_rows(const StripProduct& p, std::int64_t row) {
  typename S::F sum[R];
  const float* a[R];
  float* c = p.c + row * p.c_stride;
  for (int r = 0; r < R; ++r) {
    a[r] = p.a + (row + r) * p.a_stride;
    if constexpr (kWhole)
      sum[r] = S::load(c + r * p.c_stride);
    else
      sum[r] = S::load_first(c + r * p.c_stride, p.cols);
  }
  for (std::int64_t k = 0; k < p.inputs; ++k) {
    const auto b = S::load(p.b + k * kStripCols);
    for (int r = 0; r < R; ++r) sum[r] = S::fma(S::set(a[r][k]), b, sum[r]);
  }
  for (int r = 0; r < R; ++r) {
    if constexpr (kWhole)
      S::store(c + r * p.c_stride, sum[r]);
    else
      S::store_first(c + r * p.c_stride, sum[r], p.cols);
  }
}

template <class S, int R, bool kWhole>
inline void strip_product_of(const StripProduct& p) {
  std::int64_t row = 0;
  for (; row + R <= p.rows; row += R) strip_rows<S, R, kWhole>(p, row);
  for (; row < p.rows; ++row) strip_rows<S, 1, kWhole>(p, row);
}

template <class S, int R>
inline void strip_product(const StripProduct& p) {
  if (p.cols == kStripCols)
    strip_product_of<S, R, true>(p);
  else
    strip_product_of<S, R, false>(p);
}

}  // namespace
}  // namespace farthing::kernels
