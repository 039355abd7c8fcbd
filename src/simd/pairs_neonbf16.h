// Pairs of BF16 numbers in NEON's BF16 extension; pairs_avx512bf16.h says what they are.
#pragma once

#include "simd/float_neon.h"

namespace farthing::simd {

struct PairsNeon : FloatNeon {
  FARTHING_SIMD F fma(F weights, F inputs, F sums) {
    const auto dot = [&](int i) {
      return vbfdotq_f32(sums.v[i], vreinterpretq_bf16_f32(weights.v[i]),
                         vreinterpretq_bf16_f32(inputs.v[i]));
    };
    return {{dot(0), dot(1), dot(2), dot(3)}};
  }
  FARTHING_SIMD F load_pairs(const std::byte* p) {
    const auto* words = reinterpret_cast<const std::uint16_t*>(p);
    const uint16x8_t a = vld1q_u16(words), b = vld1q_u16(words + 8);
    const uint16x8_t c = vld1q_u16(words + 16), d = vld1q_u16(words + 24);
    return {{vreinterpretq_f32_u16(vzip1q_u16(a, c)), vreinterpretq_f32_u16(vzip2q_u16(a, c)),
             vreinterpretq_f32_u16(vzip1q_u16(b, d)), vreinterpretq_f32_u16(vzip2q_u16(b, d))}};
  }
};

}  // namespace farthing::simd
