// BF16 (8 exponent bits, 7 of mantissa), FP16 (IEEE 754 binary16) and FP8 E4M3FN (OCP OFP8) as
// bits, and their conversions: widening is exact, narrowing rounds to nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace farthing {

struct Bf16 {
  std::uint16_t bits;
};
struct Fp16 {
  std::uint16_t bits;
};
struct Fp8E4m3 {
  std::uint8_t bits;
};

inline float to_float(float x) { return x; }
inline float to_float(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

inline float to_float(Fp16 x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t exponent = x.bits >> 10 & 31u, mantissa = x.bits & 0x3FFu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

inline float to_float(Fp8E4m3 x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x80u) << 24;
  const std::uint32_t exponent = x.bits >> 3 & 15u, mantissa = x.bits & 7u;
  if (exponent == 15 && mantissa == 7) return std::bit_cast<float>(sign | 0x7FC00000u);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 120) << 23 | mantissa << 20);
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-9f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

inline Bf16 to_bf16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16)};
}

inline Fp16 to_fp16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const auto with_sign = [sign](std::uint32_t half) {
    return Fp16{static_cast<std::uint16_t>(sign | half)};
  };
  if (magnitude > 0x7F800000u) return with_sign(0x7E00u);
  if (magnitude >= 0x477FF000u) return with_sign(0x7C00u);  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                            // below 2^-14: subnormal, or zero
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;  // the addition rounds at 2^-24
    return with_sign(std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u);
  }
  return with_sign((magnitude + 0xFFFu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13);
}

}  // namespace farthing
