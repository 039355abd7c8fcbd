// Walking along a row of floats by vectors; S is an instruction set of simd/float_*.h.
#pragma once

#include <cstdint>

#include "simd/inline.h"
#include "simd/math.h"

namespace farthing::simd {

template <class S>
struct Rows {
  using F = typename S::F;
  using Math = simd::Math<S>;
  static constexpr std::int64_t kLanes = 16;

  // step(i, load, store) over whole vectors, then over what is left, whose other lanes read as 0.
  template <class Step>
  FARTHING_SIMD void each(std::int64_t size, Step step) {
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
      step([i](const float* p) { return S::load(p + i); },
           [i](float* p, F x) { S::store(p + i, x); });
    const int left = static_cast<int>(size - i);
    if (left > 0)
      step([i, left](const float* p) { return S::load_first(p + i, left); },
           [i, left](float* p, F x) { S::store_first(p + i, x, left); });
  }
};

}  // namespace farthing::simd
