// Sixteen floats at a time in NEON: four registers. float_scalar.h says what each operation means;
// every instruction set gives the same bits.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "simd/inline.h"

namespace farthing::simd {

struct FloatNeon {
  static constexpr int kRegisterRows = 2;
  struct F {
    float32x4_t v[4];
  };
  struct M {
    uint32x4_t v[4];
  };
  struct D {
    float64x2_t v[8];
  };

  FARTHING_SIMD F zero() { return set(0.0f); }
  FARTHING_SIMD F set(float x) {
    return each([&](int) { return vdupq_n_f32(x); });
  }
  FARTHING_SIMD F lanes() {
    const float32x4_t first = {0, 1, 2, 3};
    return each([&](int i) { return vaddq_f32(first, vdupq_n_f32(static_cast<float>(4 * i))); });
  }
  FARTHING_SIMD F load(const float* p) {
    return each([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  FARTHING_SIMD F load_first(const float* p, int n) {
    float room[16] = {};
    for (int i = 0; i < n && i < 16; ++i) room[i] = p[i];
    return load(room);
  }
  FARTHING_SIMD void store(float* p, F x) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.v[i]);
  }
  FARTHING_SIMD void store_first(float* p, F x, int n) {
    float room[16];
    store(room, x);
    for (int i = 0; i < n && i < 16; ++i) p[i] = room[i];
  }
  FARTHING_SIMD void prefetch(const void* p) { __builtin_prefetch(p); }
  FARTHING_SIMD void prefetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

  FARTHING_SIMD F add(F x, F y) {
    return each([&](int i) { return vaddq_f32(x.v[i], y.v[i]); });
  }
  FARTHING_SIMD F sub(F x, F y) {
    return each([&](int i) { return vsubq_f32(x.v[i], y.v[i]); });
  }
  FARTHING_SIMD F mul(F x, F y) {
    return each([&](int i) { return vmulq_f32(x.v[i], y.v[i]); });
  }
  FARTHING_SIMD F div(F x, F y) {
    return each([&](int i) { return vdivq_f32(x.v[i], y.v[i]); });
  }
  FARTHING_SIMD F fma(F x, F y, F z) {
    return each([&](int i) { return vfmaq_f32(z.v[i], x.v[i], y.v[i]); });
  }
  FARTHING_SIMD F fnma(F x, F y, F z) {
    return each([&](int i) { return vfmsq_f32(z.v[i], x.v[i], y.v[i]); });
  }
  // Not vmaxq and vminq: those give NaN where these give the second.
  FARTHING_SIMD F max(F x, F y) { return select(less(y, x), x, y); }
  FARTHING_SIMD F min(F x, F y) { return select(less(x, y), x, y); }
  FARTHING_SIMD F abs(F x) {
    return each([&](int i) { return vabsq_f32(x.v[i]); });
  }
  FARTHING_SIMD F with_sign_of(F x, F sign) {
    const uint32x4_t bit = vdupq_n_u32(0x80000000u);
    return each([&](int i) { return vbslq_f32(bit, sign.v[i], x.v[i]); });
  }
  FARTHING_SIMD F round(F x) {
    return each([&](int i) { return vrndnq_f32(x.v[i]); });
  }
  FARTHING_SIMD F times_power(F x, F n) {
    return each([&](int i) {
      // Two steps, so that each power is a normal number; only the second can round.
      const int32x4_t whole = vcvtnq_s32_f32(n.v[i]), half = vshrq_n_s32(whole, 1);
      return vmulq_f32(vmulq_f32(x.v[i], power(half)), power(vsubq_s32(whole, half)));
    });
  }

  FARTHING_SIMD M less(F x, F y) {
    M m;
    for (int i = 0; i < 4; ++i) m.v[i] = vcltq_f32(x.v[i], y.v[i]);
    return m;
  }
  FARTHING_SIMD M range(int first, int last) {
    const int32x4_t count = {0, 1, 2, 3}, from = vdupq_n_s32(first), to = vdupq_n_s32(last);
    M m;
    for (int i = 0; i < 4; ++i) {
      const int32x4_t lane = vaddq_s32(count, vdupq_n_s32(4 * i));
      m.v[i] = vandq_u32(vcgeq_s32(lane, from), vcltq_s32(lane, to));
    }
    return m;
  }
  FARTHING_SIMD F select(M m, F yes, F no) {
    return each([&](int i) { return vbslq_f32(m.v[i], yes.v[i], no.v[i]); });
  }

  FARTHING_SIMD float sum(F x) {
    const float32x4_t four = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  FARTHING_SIMD float largest(F x) {
    const float32x4_t four = max(max(x.v[0], x.v[2]), max(x.v[1], x.v[3]));
    const float32x4_t two = max(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(max(two, vextq_f32(two, two, 1)), 0);
  }
  FARTHING_SIMD float first(F x) { return vgetq_lane_f32(x.v[0], 0); }

  FARTHING_SIMD F swap_pairs(F x) {
    return each([&](int i) { return vrev64q_f32(x.v[i]); });
  }
  FARTHING_SIMD F alternate_sign(F x) {
    const uint32x4_t bits = {0x80000000u, 0, 0x80000000u, 0};
    return each([&](int i) {
      return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x.v[i]), bits));
    });
  }
  FARTHING_SIMD F load_twice(const float* p) {
    const float32x4_t a = vld1q_f32(p), b = vld1q_f32(p + 4);
    return {{vzip1q_f32(a, a), vzip2q_f32(a, a), vzip1q_f32(b, b), vzip2q_f32(b, b)}};
  }

  FARTHING_SIMD F load_bf16(const std::byte* p) {
    return each([&](int i) {
      return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(load_8(p + 8 * i)), 16));
    });
  }
  FARTHING_SIMD F load_f16(const std::byte* p) {
    return each([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u8(load_8(p + 8 * i))); });
  }
  FARTHING_SIMD F load_i8(const std::byte* p) {
    return from_bytes(vreinterpretq_s8_u8(load_16(p)));
  }
  template <bool kHigh>
  FARTHING_SIMD F load_half_bytes(const std::byte* p) {
    const uint8x16_t bytes = load_16(p);
    return code_values(kHigh ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15)));
  }
  FARTHING_SIMD F load_split_bytes(const std::byte* p) {
    const uint8x8_t bytes = load_8(p);
    return code_values(vcombine_u8(vand_u8(bytes, vdup_n_u8(15)), vshr_n_u8(bytes, 4)));
  }

  FARTHING_SIMD D zero_wide() {
    return each_wide([](int) { return vdupq_n_f64(0); });
  }
  FARTHING_SIMD D add_wide(D sum, F x) {
    return each_wide([&](int i) { return vaddq_f64(sum.v[i], wide(x, i)); });
  }
  FARTHING_SIMD D add_squares(D sum, F x, double mean) {
    return each_wide([&](int i) {
      const float64x2_t d = vsubq_f64(wide(x, i), vdupq_n_f64(mean));
      return vfmaq_f64(sum.v[i], d, d);
    });
  }
  FARTHING_SIMD F normalise(F x, double mean, double factor) {
    const auto two = [&](int i) {
      const float64x2_t shifted = vsubq_f64(wide(x, i), vdupq_n_f64(mean));
      return vcvt_f32_f64(vmulq_f64(shifted, vdupq_n_f64(factor)));
    };
    return each([&](int i) { return vcombine_f32(two(2 * i), two(2 * i + 1)); });
  }
  FARTHING_SIMD double sum_wide(D x) {
    for (int half = 4; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) x.v[i] = vaddq_f64(x.v[i], x.v[i + half]);
    return vgetq_lane_f64(x.v[0], 0) + vgetq_lane_f64(x.v[0], 1);
  }

 private:
  template <class Quarter>
  FARTHING_SIMD F each(Quarter quarter) {
    return {{quarter(0), quarter(1), quarter(2), quarter(3)}};
  }
  template <class Pair>
  FARTHING_SIMD D each_wide(Pair pair) {
    return {{pair(0), pair(1), pair(2), pair(3), pair(4), pair(5), pair(6), pair(7)}};
  }
  FARTHING_SIMD float32x4_t max(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcgtq_f32(x, y), x, y);
  }
  FARTHING_SIMD float32x4_t power(int32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
  }
  FARTHING_SIMD float64x2_t wide(F x, int pair) {
    const float32x4_t four = x.v[pair / 2];
    return vcvt_f64_f32(pair % 2 == 0 ? vget_low_f32(four) : vget_high_f32(four));
  }
  FARTHING_SIMD uint8x16_t load_16(const std::byte* p) {
    return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p));
  }
  FARTHING_SIMD uint8x8_t load_8(const std::byte* p) {
    return vld1_u8(reinterpret_cast<const std::uint8_t*>(p));
  }
  FARTHING_SIMD F from_bytes(int8x16_t bytes) {
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return {{from_words(vget_low_s16(low)), from_words(vget_high_s16(low)),
             from_words(vget_low_s16(high)), from_words(vget_high_s16(high))}};
  }
  FARTHING_SIMD float32x4_t from_words(int16x4_t words) { return vcvtq_f32_s32(vmovl_s16(words)); }
  FARTHING_SIMD F code_values(uint8x16_t codes) {
    return from_bytes(vreinterpretq_s8_u8(vsubq_u8(codes, vdupq_n_u8(8))));
  }
};

}  // namespace farthing::simd
