// Integer vectors with AVX-512 VNNI: AVX-512's and the products. int_scalar.h says what each means.
#pragma once

#include "simd/int_avx512.h"

namespace farthing::simd {

struct IntAvx512Vnni : IntAvx512 {
  // sums += the products, in place: of the intrinsic, g++ 12 copies the sums of an inner loop to
  // other registers and to memory, at half the speed.
  FARTHING_SIMD void add_products(I& sums, B codes, I x) {
#if defined(__AVX512VNNI__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(codes), "v"(x));
#else  // emulated, in tests
    sums = _mm512_dpbusd_epi32(sums, codes, x);
#endif
  }

  struct Bytes {
    using Isa = IntAvx512Vnni;
    using Partial = I;
    using X = I;
    static constexpr int kDwords = 1, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int) { return _mm512_set1_epi32(*x); }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      add_products(sums, codes, x);
      return sums;
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };
  struct Planes {
    using Isa = IntAvx512Vnni;
    struct Partial {
      I high, low;
    };
    using X = Partial;
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return {_mm512_setzero_si512(), first}; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {_mm512_set1_epi32(x[0]), _mm512_set1_epi32(x[stride])};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      const I high = _mm512_add_epi32(whole, _mm512_set1_epi32(128));  // its second byte
      store_groups(x, _mm512_mask_blend_epi8(0x2222222222222222, whole, high),
                   _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      add_products(sums.high, codes, x.high);
      add_products(sums.low, codes, x.low);
      return sums;
    }
    FARTHING_SIMD I finish(Partial sums) {
      return _mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.low);
    }
  };
};

}  // namespace farthing::simd
