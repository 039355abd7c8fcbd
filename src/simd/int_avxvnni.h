// Integer vectors with AVX-VNNI: AVX2's but for the products. int_scalar.h says what each means.
#pragma once

#include "simd/int_avx2.h"

namespace farthing::simd {

struct IntAvxVnni : IntAvx2 {
  struct Bytes {
    using Isa = IntAvxVnni;
    using Partial = I;
    using X = __m256i;
    static constexpr int kDwords = 1, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int) { return _mm256_set1_epi32(*x); }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return {_mm256_dpbusd_avx_epi32(sums.a, codes.a, x),
              _mm256_dpbusd_avx_epi32(sums.b, codes.b, x)};
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };
  struct Planes {
    using Isa = IntAvxVnni;
    struct Partial {
      I high, low;
    };
    struct X {
      __m256i high, low;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return {IntAvx2::zero(), first}; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {_mm256_set1_epi32(x[0]), _mm256_set1_epi32(x[stride])};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      const __m256i second = _mm256_set1_epi16(static_cast<short>(0xFF00));
      const I high = IntAvx2::add(whole, IntAvx2::set(128));  // its second byte
      store_groups(x,
                   {_mm256_blendv_epi8(whole.a, high.a, second),
                    _mm256_blendv_epi8(whole.b, high.b, second)},
                   _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return {Bytes::dot(sums.high, codes, x.high), Bytes::dot(sums.low, codes, x.low)};
    }
    FARTHING_SIMD I finish(Partial sums) {
      return IntAvx2::add({_mm256_slli_epi32(sums.high.a, 8), _mm256_slli_epi32(sums.high.b, 8)},
                          sums.low);
    }
  };
};

}  // namespace farthing::simd
