// Integer vectors with AVX-512 VNNI: AVX-512's and the products. int_scalar.h says what each means.
#pragma once

#include "simd/int_avx512.h"

namespace farthing::simd {

struct IntAvx512Vnni : IntAvx512 {
  struct Bytes {
    using Isa = IntAvx512Vnni;
    using Partial = I;
    using X = I;
    static constexpr int kDwords = 1, kFlush = 1 << 20;
    FARTHING_SIMD Partial zero() { return _mm512_setzero_si512(); }
    FARTHING_SIMD X input(const std::int32_t* x, int) { return _mm512_set1_epi32(*x); }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return _mm512_dpbusd_epi32(sums, codes, x);
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };
  struct Planes {
    using Isa = IntAvx512Vnni;
    struct Partial {
      I high, low;
    };
    using X = Partial;
    static constexpr int kDwords = 2, kFlush = 1 << 20;
    FARTHING_SIMD Partial zero() { return {_mm512_setzero_si512(), _mm512_setzero_si512()}; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {_mm512_set1_epi32(x[0]), _mm512_set1_epi32(x[stride])};
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return {_mm512_dpbusd_epi32(sums.high, codes, x.high),
              _mm512_dpbusd_epi32(sums.low, codes, x.low)};
    }
    FARTHING_SIMD I finish(Partial sums) {
      return _mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.low);
    }
  };
};

}  // namespace farthing::simd
