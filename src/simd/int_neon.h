// Integer vectors in NEON: four registers. int_scalar.h says what each operation means.
#pragma once

#include "simd/float_neon.h"

namespace farthing::simd {

struct IntNeon {
  using Float = FloatNeon;
  static constexpr int kSumVectors = 4;  // of 16 sums, that stay in registers beside others
  struct I {
    int32x4_t v[4];
  };
  struct B {
    uint8x16_t v[4];
  };

  FARTHING_SIMD B load(const std::byte* p) {
    return each<B>(
        [&](int i) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p) + 16 * i); });
  }
  FARTHING_SIMD void store(std::byte* p, B b) {
    for (int i = 0; i < 4; ++i) vst1q_u8(reinterpret_cast<std::uint8_t*>(p) + 16 * i, b.v[i]);
  }
  FARTHING_SIMD B bits(B b, int shift, int mask) {
    const int8x16_t left = vdupq_n_s8(static_cast<std::int8_t>(-shift));
    const uint8x16_t kept = vdupq_n_u8(static_cast<std::uint8_t>(mask));
    return each<B>([&](int i) { return vandq_u8(vshlq_u8(b.v[i], left), kept); });
  }
  FARTHING_SIMD B join(B a, B b) {
    return each<B>([&](int i) { return vorrq_u8(a.v[i], b.v[i]); });
  }
  FARTHING_SIMD B load_table(const std::uint8_t* p) {
    return each<B>([&](int) { return vld1q_u8(p); });
  }
  FARTHING_SIMD B look_up(B table, B codes) {
    return each<B>([&](int i) { return vqtbl1q_u8(table.v[i], codes.v[i]); });
  }

  FARTHING_SIMD I zero() { return set(0); }
  FARTHING_SIMD I set(std::int32_t x) {
    return each<I>([&](int) { return vdupq_n_s32(x); });
  }
  FARTHING_SIMD I add(I x, I y) {
    return each<I>([&](int i) { return vaddq_s32(x.v[i], y.v[i]); });
  }
  FARTHING_SIMD std::int32_t sum(I x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3])));
  }
  FARTHING_SIMD I bits_of(Float::F x) {
    return each<I>([&](int i) { return vreinterpretq_s32_f32(x.v[i]); });
  }
  FARTHING_SIMD Float::F to_float(I x) {
    return each<Float::F>([&](int i) { return vcvtq_f32_s32(x.v[i]); });
  }
  FARTHING_SIMD Float::F code_floats(B b, int input) {
    return each<Float::F>([&](int i) { return vcvtq_f32_u32(byte_of(b.v[i], input)); });
  }
  FARTHING_SIMD Float::F look_up_floats(const float* table, B b, int input) {
    const uint8x16x4_t bytes = vld1q_u8_x4(reinterpret_cast<const std::uint8_t*>(table));
    return each<Float::F>([&](int i) {  // the four bytes of entry c are 4 c .. 4 c + 3
      const uint32x4_t first = vmulq_n_u32(byte_of(b.v[i], input), 0x04040404u);
      const uint8x16_t at = vreinterpretq_u8_u32(vaddq_u32(first, vdupq_n_u32(0x03020100u)));
      return vreinterpretq_f32_u8(vqtbl4q_u8(bytes, at));
    });
  }
  FARTHING_SIMD void store_words(std::int16_t* p, Float::F whole) {
    vst1q_s16(p, words(whole, 0));
    vst1q_s16(p + 8, words(whole, 2));
  }
  FARTHING_SIMD void store_bytes(std::int8_t* p, Float::F whole) {
    store_16(p, words(whole, 0), words(whole, 2));
  }
  FARTHING_SIMD void store_planes(std::int8_t* high, std::int8_t* low, Float::F whole) {
    store_word_planes(high, low, words(whole, 0), words(whole, 2));
  }

  // Four words: inputs 0 and 2, then 1 and 3. Any codes, inputs of 8 and of 16 bits.
  struct Words {
    using Isa = IntNeon;
    struct Partial {  // two sums an output, those of its inputs 0 and 1, and of 2 and 3
      int32x4_t v[8];
    };
    struct X {
      int16x8_t even, odd;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) {
      const int32x4_t none = vdupq_n_s32(0);
      Partial sums;
      for (int i = 0; i < 4; ++i) {
        sums.v[2 * i] = vzip1q_s32(first.v[i], none);
        sums.v[2 * i + 1] = vzip2q_s32(first.v[i], none);
      }
      return sums;
    }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {vreinterpretq_s16_s32(vld1q_dup_s32(x)),
              vreinterpretq_s16_s32(vld1q_dup_s32(x + stride))};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      const int16x8_t a = low_words(whole, 0), b = low_words(whole, 2);
      vst1q_s32(x, vreinterpretq_s32_s16(vuzp1q_s16(a, b)));
      vst1q_s32(x + 4, vreinterpretq_s32_s16(vuzp2q_s16(a, b)));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      for (int i = 0; i < 4; ++i) {
        const uint16x8_t both = vreinterpretq_u16_u8(codes.v[i]);
        const int16x8_t even = vreinterpretq_s16_u16(vandq_u16(both, vdupq_n_u16(255)));
        const int16x8_t odd = vreinterpretq_s16_u16(vshrq_n_u16(both, 8));
        sums.v[2 * i] = add_low(add_low(sums.v[2 * i], even, x.even), odd, x.odd);
        sums.v[2 * i + 1] = add_high(add_high(sums.v[2 * i + 1], even, x.even), odd, x.odd);
      }
      return sums;
    }
    FARTHING_SIMD I finish(Partial sums) {
      return each<I>([&](int i) { return vpaddq_s32(sums.v[2 * i], sums.v[2 * i + 1]); });
    }

   private:
    FARTHING_SIMD int32x4_t add_low(int32x4_t sums, int16x8_t a, int16x8_t b) {
      return vmlal_s16(sums, vget_low_s16(a), vget_low_s16(b));
    }
    FARTHING_SIMD int32x4_t add_high(int32x4_t sums, int16x8_t a, int16x8_t b) {
      return vmlal_high_s16(sums, a, b);
    }
  };

  template <class V, class Quarter>
  FARTHING_SIMD V each(Quarter quarter) {
    return {{quarter(0), quarter(1), quarter(2), quarter(3)}};
  }

 protected:
  FARTHING_SIMD int16x8_t low_words(I x, int first) {
    return vcombine_s16(vmovn_s32(x.v[first]), vmovn_s32(x.v[first + 1]));
  }
  FARTHING_SIMD void store_word_planes(std::int8_t* high, std::int8_t* low, int16x8_t a,
                                       int16x8_t b) {
    const int16x8_t round = vdupq_n_s16(128);
    store_16(high, vshrq_n_s16(vaddq_s16(a, round), 8), vshrq_n_s16(vaddq_s16(b, round), 8));
    store_16(low, a, b);
  }

 private:
  FARTHING_SIMD int16x8_t words(Float::F whole, int first) {
    return vcombine_s16(vmovn_s32(vcvtq_s32_f32(whole.v[first])),
                        vmovn_s32(vcvtq_s32_f32(whole.v[first + 1])));
  }
  FARTHING_SIMD void store_16(std::int8_t* p, int16x8_t a, int16x8_t b) {  // the low bytes
    vst1q_s8(p, vcombine_s8(vmovn_s16(a), vmovn_s16(b)));
  }
  FARTHING_SIMD uint32x4_t byte_of(uint8x16_t x, int input) {
    const uint32x4_t shifted = vshlq_u32(vreinterpretq_u32_u8(x), vdupq_n_s32(-8 * input));
    return vandq_u32(shifted, vdupq_n_u32(255));
  }
};

}  // namespace farthing::simd
