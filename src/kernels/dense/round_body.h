// The one body of rounding input by input; S is an instruction set of simd/float_*.h.
#pragma once

#include "kernels/dense/round_rows.h"
#include "simd/inline.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// N vectors of rows, whose chains of sums run beside each other.
template <class S, int N>
inline void round_vectors(const RoundRows& p, std::int64_t row) {
  using F = typename S::F;
  const F zero = S::zero(), bias = S::set(p.bias), bottom = S::set(p.bottom), top = S::set(p.top);
  for (std::int64_t i = 0; i < p.inputs; ++i) {
    const float* factor = p.factor + i * p.factor_stride;
    float* at = p.weights + i * p.stride + row;
    F w[N];
    FARTHING_UNROLL
    for (int n = 0; n < N; ++n) w[n] = S::load(at + n * kRoundedRows);
    for (std::int64_t k = 0; k < i; ++k) {
      const float* errors = p.errors + k * p.stride + row;
      const F l = S::set(factor[k]);
      FARTHING_UNROLL
      for (int n = 0; n < N; ++n) w[n] = S::fnma(S::load(errors + n * kRoundedRows), l, w[n]);
      if (p.pull == nullptr) continue;
      const float* before = p.before + k * p.stride + row;
      const F pull = S::set(p.pull[i * p.factor_stride + k]);
      FARTHING_UNROLL
      for (int n = 0; n < N; ++n) w[n] = S::fma(S::load(before + n * kRoundedRows), pull, w[n]);
    }
    const F pivot = S::set(factor[i]);
    FARTHING_UNROLL
    for (int n = 0; n < N; ++n) {
      const std::int64_t lane = row + n * kRoundedRows;
      F x = w[n];
      if (p.kept != nullptr)
        x = S::select(S::less(zero, S::load(p.kept + i * p.stride + lane)), x, zero);
      F value = x, code = x;
      if (p.scales != nullptr) {
        const std::int64_t group = p.groups[i] * p.stride + lane;
        const F scale = S::load(p.scales + group), offset = S::load(p.offsets + group);
        code = S::add(S::round(S::div(S::sub(x, offset), scale)), bias);
        code = S::min(S::max(code, bottom), top);
        // A group without a scale is its offset.
        code = S::select(S::less(zero, S::abs(scale)), code, bias);
        value = S::add(S::mul(scale, S::sub(code, bias)), offset);
      }
      if (p.before != nullptr) S::store(p.before + i * p.stride + lane, w[n]);
      S::store(p.errors + i * p.stride + lane, S::div(S::sub(w[n], value), pivot));
      S::store(at + n * kRoundedRows, code);
    }
  }
}

template <class S>
inline void round_rows(const RoundRows& p) {
  constexpr int kAtOnce = 3;
  std::int64_t row = 0;
  for (; row + kAtOnce * kRoundedRows <= p.rows; row += kAtOnce * kRoundedRows)
    round_vectors<S, kAtOnce>(p, row);
  for (; row < p.rows; row += kRoundedRows) round_vectors<S, 1>(p, row);
}

}  // namespace
}  // namespace farthing::kernels
