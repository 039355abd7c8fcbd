// Sixteen floats at once as four vectors of the baseline instruction set, and the few operations
// that the searches of this folder are made of. Every lane sums by itself and lanes are added in
// one order, so results are the same on every processor.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace farthing::lanes {

using F4 = float __attribute__((vector_size(16)));
using I4 = std::int32_t __attribute__((vector_size(16)));

inline constexpr std::int64_t kStep = 16;  // arrays are padded to a multiple of this

inline F4 load4(const float* from) {
  F4 value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline F4 splat(float x) { return F4{x, x, x, x}; }
inline F4 min4(F4 a, F4 b) { return a < b ? a : b; }
inline F4 max4(F4 a, F4 b) { return a > b ? a : b; }
inline F4 abs4(F4 x) { return std::bit_cast<F4>(std::bit_cast<I4>(x) & 0x7FFFFFFF); }
// To the nearest integer, ties to even, for |x| < 2^22.
inline F4 round4(F4 x) { return (x + 12582912.0f) - 12582912.0f; }
inline double sum4(F4 x) {
  return (static_cast<double>(x[0]) + static_cast<double>(x[1])) +
         (static_cast<double>(x[2]) + static_cast<double>(x[3]));
}

// |x|^p for positive finite x within 0.01 %: good enough to compare errors with. Zero and
// subnormals count as the smallest normal number.
inline F4 power4(F4 x, float p) {
  // log2: exponent, plus a polynomial in the mantissa m of [1, 2) that is exact at both ends.
  const I4 bits = std::bit_cast<I4>(max4(abs4(x), splat(0x1p-126f)));
  const F4 exponent = __builtin_convertvector((bits >> 23) - 127, F4);
  const F4 m = std::bit_cast<F4>((bits & 0x7FFFFF) | 0x3F800000) - 1.0f;
  const F4 log2 =
      exponent +
      m * (1.44268482f +
           m * (-0.72052114f +
                m * (0.46993364f + m * (-0.30516431f + m * (0.14846765f + m * -0.03541114f)))));
  // 2^y = 2^floor(y) * 2^fraction.
  const F4 y = min4(max4(log2 * p, splat(-126.0f)), splat(126.0f));
  const F4 whole = round4(y - 0.5f);
  const F4 f = y - whole;
  const F4 mantissa =
      1.0f + f * (0.69314759f +
                  f * (0.24020659f + f * (0.05566005f + f * (0.00919463f + f * 0.00179073f))));
  const I4 power = (__builtin_convertvector(whole, I4) + 127) << 23;
  return mantissa * std::bit_cast<F4>(power);
}

}  // namespace farthing::lanes
