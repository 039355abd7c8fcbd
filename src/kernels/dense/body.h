// The one body of the dense product; S is an instruction set of simd/float_*.h, kPanel the rows of
// C and V the vectors of a row that it keeps in registers.
#pragma once

#include "kernels/dense/product_kernels.h"
#include "simd/inline.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

constexpr int kLanes = 16;

template <class S, int V>
inline void pack_strips(const PackStrips& p) {
  const auto sign = S::set(p.sign);
  float* to = p.to;
  for (std::int64_t col = 0; col < p.cols; col += V * kLanes, to += kBlockInputs * V * kLanes) {
    const float* from = p.b + col;
    const auto left = static_cast<int>(p.cols - col < V * kLanes ? p.cols - col : V * kLanes);
    for (std::int64_t k = 0; k < p.inputs; ++k, from += p.b_stride)
      for (int v = 0; v < V; ++v) {
        const auto x = left == V * kLanes  ? S::load(from + v * kLanes)
                       : left > v * kLanes ? S::load_first(from + v * kLanes, left - v * kLanes)
                                           : S::zero();
        S::store(to + (k * V + v) * kLanes, S::mul(sign, x));
      }
  }
}

// R rows of one strip, of which the first `cols` columns exist.
template <class S, int kPanel, int R, int V, bool kTurned, bool kWhole>
inline void strip_rows(const PanelProduct& p, const float* b, float* c, int cols) {
  typename S::F sum[R][V];
  const auto at = [&](int r, int v) { return c + r * p.c_stride + v * kLanes; };
  FARTHING_UNROLL
  for (int r = 0; r < R; ++r) {
    FARTHING_UNROLL
    for (int v = 0; v < V; ++v)
      if (p.fresh || cols <= v * kLanes)
        sum[r][v] = S::zero();
      else
        sum[r][v] = kWhole ? S::load(at(r, v)) : S::load_first(at(r, v), cols - v * kLanes);
  }
  const float* a = p.a;
  for (std::int64_t k = 0; k < p.inputs; ++k, b += V * kLanes, a += kTurned ? kPanel : 1) {
    typename S::F in[V];
    FARTHING_UNROLL
    for (int v = 0; v < V; ++v) in[v] = S::load(b + v * kLanes);
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto x = S::set(a[kTurned ? r : r * kBlockInputs]);
      FARTHING_UNROLL
      for (int v = 0; v < V; ++v) sum[r][v] = S::fma(x, in[v], sum[r][v]);
    }
  }
  FARTHING_UNROLL
  for (int r = 0; r < R; ++r) {
    FARTHING_UNROLL
    for (int v = 0; v < V; ++v) {
      if constexpr (kWhole)
        S::store(at(r, v), sum[r][v]);
      else if (cols > v * kLanes)
        S::store_first(at(r, v), sum[r][v], cols - v * kLanes);
    }
  }
}

template <class S, int kPanel, int R, int V, bool kTurned>
inline void panel_rows(const PanelProduct& p) {
  const float* b = p.b;
  std::int64_t col = 0;
  for (; col + V * kLanes <= p.cols; col += V * kLanes, b += kBlockInputs * V * kLanes)
    strip_rows<S, kPanel, R, V, kTurned, true>(p, b, p.c + col, V * kLanes);
  if (col < p.cols)
    strip_rows<S, kPanel, R, V, kTurned, false>(p, b, p.c + col, static_cast<int>(p.cols - col));
}

// The same for a number of rows known only now, 1 .. R.
template <class S, int kPanel, int R, int V>
inline void panel_product_of(const PanelProduct& p) {
  if (p.rows == R)
    return p.turned ? panel_rows<S, kPanel, R, V, true>(p) : panel_rows<S, kPanel, R, V, false>(p);
  if constexpr (R > 1) panel_product_of<S, kPanel, R - 1, V>(p);
}

template <class S, int kPanel, int V>
constexpr ProductKernel product_kernel() {
  return {kPanel, V * kLanes, pack_strips<S, V>, panel_product_of<S, kPanel, kPanel, V>};
}

}  // namespace
}  // namespace farthing::kernels
