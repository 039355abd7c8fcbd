// Integer vectors with NEON's dot products: NEON's and the products. int_scalar.h says what each
// operation means.
#pragma once

#include "simd/int_neon.h"

namespace farthing::simd {

// Ways of adding the four products of each output's bytes; x is signed, codes are not.
struct NeonSmallDot {  // for codes below 128
  FARTHING_SIMD int32x4_t add(int32x4_t sums, uint8x16_t codes, int8x16_t x) {
    return vdotq_s32(sums, vreinterpretq_s8_u8(codes), x);
  }
};
struct NeonShiftedDot {  // of codes - 128: whoever asks counts 128 less in their bias
  FARTHING_SIMD int32x4_t add(int32x4_t sums, uint8x16_t codes, int8x16_t x) {
    return NeonSmallDot::add(sums, veorq_u8(codes, vdupq_n_u8(128)), x);
  }
};
#if defined(__ARM_FEATURE_MATMUL_INT8)
struct NeonMixedDot {  // I8MM
  FARTHING_SIMD int32x4_t add(int32x4_t sums, uint8x16_t codes, int8x16_t x) {
    return vusdotq_s32(sums, codes, x);
  }
};
#endif

template <class Product>
struct IntNeonProducts : IntNeon {
  struct Bytes {
    using Isa = IntNeonProducts;
    using Partial = I;
    using X = int8x16_t;
    static constexpr int kDwords = 1, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int) {
      return vreinterpretq_s8_s32(vld1q_dup_s32(x));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return each<I>([&](int i) { return Product::add(sums.v[i], codes.v[i], x); });
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };
  struct Planes {
    using Isa = IntNeonProducts;
    struct Partial {
      I high, low;
    };
    struct X {
      int8x16_t high, low;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return {IntNeon::zero(), first}; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {Bytes::input(x, stride), Bytes::input(x + stride, stride)};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      IntNeon::store_word_planes(reinterpret_cast<std::int8_t*>(x),
                                 reinterpret_cast<std::int8_t*>(x + 4),
                                 IntNeon::low_words(whole, 0), IntNeon::low_words(whole, 2));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return {Bytes::dot(sums.high, codes, x.high), Bytes::dot(sums.low, codes, x.low)};
    }
    FARTHING_SIMD I finish(Partial sums) {
      return each<I>(
          [&](int i) { return vaddq_s32(vshlq_n_s32(sums.high.v[i], 8), sums.low.v[i]); });
    }
  };
};

}  // namespace farthing::simd
