// In place of the compiler's <immintrin.h>, for the kernels of instruction sets that this machine
// may lack: AVX2 is real, AVX-512 and AVX-VNNI come from SIMDe, what it lacks is below and
// in amx.h.
#pragma once

#include_next <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/avx512/dpbf16.h>
#include <simde/x86/f16c.h>

#include "amx.h"

namespace emulated {

// Two vectors of half the size, side by side.
template <class Half, class Whole>
Half half(Whole x, int i) {
  Half halves[2];
  static_assert(sizeof halves == sizeof x);
  __builtin_memcpy(halves, &x, sizeof x);
  return halves[i];
}
template <class Whole, class Half>
Whole join(Half low, Half high) {
  const Half halves[2] = {low, high};
  Whole whole;
  static_assert(sizeof halves == sizeof whole);
  __builtin_memcpy(&whole, halves, sizeof whole);
  return whole;
}

inline __m512i srli_epi16(__m512i x, unsigned count) {
  return join<__m512i>(_mm256_srli_epi16(half<__m256i>(x, 0), static_cast<int>(count)),
                       _mm256_srli_epi16(half<__m256i>(x, 1), static_cast<int>(count)));
}
inline __m512i slli_epi16(__m512i x, unsigned count) {
  return join<__m512i>(_mm256_slli_epi16(half<__m256i>(x, 0), static_cast<int>(count)),
                       _mm256_slli_epi16(half<__m256i>(x, 1), static_cast<int>(count)));
}
inline __m512i madd_epi16(__m512i x, __m512i y) {
  return join<__m512i>(_mm256_madd_epi16(half<__m256i>(x, 0), half<__m256i>(y, 0)),
                       _mm256_madd_epi16(half<__m256i>(x, 1), half<__m256i>(y, 1)));
}
inline __m128i cvtepi16_epi8(__m256i x) {
  const __m256i bytes = _mm256_and_si256(x, _mm256_set1_epi16(255));
  return _mm_packus_epi16(half<__m128i>(bytes, 0), half<__m128i>(bytes, 1));
}
inline __m256i cvtepi32_epi16(__m512i x) {
  const auto words = [&](int i) {
    return _mm256_and_si256(half<__m256i>(x, i), _mm256_set1_epi32(65535));
  };
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(words(0), words(1)), 0b11011000);
}
inline __m512 cvtepi32_ps(__m512i x) {
  return join<__m512>(_mm256_cvtepi32_ps(half<__m256i>(x, 0)),
                      _mm256_cvtepi32_ps(half<__m256i>(x, 1)));
}
inline __m512i cvtps_epi32(__m512 x) {
  return join<__m512i>(_mm256_cvtps_epi32(half<__m256>(x, 0)),
                       _mm256_cvtps_epi32(half<__m256>(x, 1)));
}
inline __m512i cvtepi8_epi32(__m128i x) {
  return join<__m512i>(_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)));
}
inline __m512i cvtepu8_epi32(__m128i x) {
  return join<__m512i>(_mm256_cvtepu8_epi32(x), _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8)));
}
inline __m512i cvtepu16_epi32(__m256i x) {
  return join<__m512i>(_mm256_cvtepu16_epi32(half<__m128i>(x, 0)),
                       _mm256_cvtepu16_epi32(half<__m128i>(x, 1)));
}
inline __m512 cvtph_ps(__m256i x) {
  return join<__m512>(_mm256_cvtph_ps(half<__m128i>(x, 0)), _mm256_cvtph_ps(half<__m128i>(x, 1)));
}
inline __m512d cvtps_pd(__m256 x) {
  return join<__m512d>(_mm256_cvtps_pd(half<__m128>(x, 0)), _mm256_cvtps_pd(half<__m128>(x, 1)));
}
inline __m256 cvtpd_ps(__m512d x) {
  return join<__m256>(_mm256_cvtpd_ps(half<__m256d>(x, 0)), _mm256_cvtpd_ps(half<__m256d>(x, 1)));
}
template <int kPattern>
__m512 permute_ps(__m512 x) {
  return join<__m512>(_mm256_permute_ps(half<__m256>(x, 0), kPattern),
                      _mm256_permute_ps(half<__m256>(x, 1), kPattern));
}
inline __m512 maskz_loadu_ps(unsigned mask, const float* p) {
  float lanes[16] = {};
  for (int i = 0; i < 16; ++i)
    if ((mask >> i & 1u) != 0) lanes[i] = p[i];
  return _mm512_loadu_ps(lanes);
}
inline void mask_storeu_ps(float* p, unsigned mask, __m512 x) {
  float lanes[16];
  _mm512_storeu_ps(lanes, x);
  for (int i = 0; i < 16; ++i)
    if ((mask >> i & 1u) != 0) p[i] = lanes[i];
}

// For whole n; SIMDe's makes an infinity of 2^128 before it multiplies.
inline __m512 scalef_ps(__m512 x, __m512 n) {
  float number[16], power[16];
  _mm512_storeu_ps(number, x);
  _mm512_storeu_ps(power, n);
  for (int i = 0; i < 16; ++i)
    number[i] = power[i] == power[i] ? std::ldexp(number[i], static_cast<int>(power[i])) : power[i];
  return _mm512_loadu_ps(number);
}
// VDPBF16PS: the odd product first, each added with one rounding, subnormals taken as zero.
// Pairs of BF16 numbers as bits: clang would round a vector of its own type wherever it passes one.
inline __m512 dpbf16_ps(__m512 sums, __m512i a, __m512i b) {
  float sum[16];
  std::uint32_t x[16], y[16];
  __builtin_memcpy(sum, &sums, sizeof sum);
  __builtin_memcpy(x, &a, sizeof x);
  __builtin_memcpy(y, &b, sizeof y);
  for (int i = 0; i < 16; ++i) {
    sum[i] = flushed(std::fma(high_bf16(x[i]), high_bf16(y[i]), flushed(sum[i])));
    sum[i] = flushed(std::fma(low_bf16(x[i]), low_bf16(y[i]), sum[i]));
  }
  return _mm512_loadu_ps(sum);
}

inline __m512i cvtepu8_epi16(__m256i x) {
  return join<__m512i>(_mm256_cvtepu8_epi16(half<__m128i>(x, 0)),
                       _mm256_cvtepu8_epi16(half<__m128i>(x, 1)));
}
// VPEXPANDB and VPEXPANDW: the first elements go where the mask has bits.
template <class T>
__m512i mask_expand(__m512i elsewhere, std::uint64_t mask, __m512i x) {
  T from[64 / sizeof(T)], to[64 / sizeof(T)];
  __builtin_memcpy(from, &x, sizeof x);
  __builtin_memcpy(to, &elsewhere, sizeof to);
  for (std::size_t i = 0, n = 0; i < 64 / sizeof(T); ++i)
    if ((mask >> i & 1u) != 0) to[i] = from[n++];
  __builtin_memcpy(&x, to, sizeof x);
  return x;
}

}  // namespace emulated

// SIMDe under clang asks for a literal count, which the kernels' unrolled loops do not spell.
#undef _mm512_srli_epi16
#define _mm512_srli_epi16 emulated::srli_epi16
#undef _mm512_slli_epi16
#define _mm512_slli_epi16 emulated::slli_epi16
#define _mm256_cvtepi16_epi8 emulated::cvtepi16_epi8
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 emulated::madd_epi16
#undef _mm512_scalef_ps
#define _mm512_scalef_ps emulated::scalef_ps
#define __m512bh __m512i
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps emulated::dpbf16_ps
#undef _mm512_cvtepu8_epi16
#define _mm512_cvtepu8_epi16 emulated::cvtepu8_epi16
#undef _mm512_mask_expand_epi8
#define _mm512_mask_expand_epi8 emulated::mask_expand<std::uint8_t>
#undef _mm512_mask_expand_epi16
#define _mm512_mask_expand_epi16 emulated::mask_expand<std::uint16_t>
#define _mm512_cvtepi32_epi16 emulated::cvtepi32_epi16
#define _mm512_cvtepi32_ps emulated::cvtepi32_ps
#define _mm512_cvtps_epi32 emulated::cvtps_epi32
#define _mm512_cvtepi8_epi32 emulated::cvtepi8_epi32
#define _mm512_cvtepu8_epi32 emulated::cvtepu8_epi32
#define _mm512_cvtepu16_epi32 emulated::cvtepu16_epi32
#define _mm512_cvtph_ps emulated::cvtph_ps
#define _mm512_cvtps_pd emulated::cvtps_pd
#define _mm512_cvtpd_ps emulated::cvtpd_ps
#define _mm512_cvtss_f32(x) _mm256_cvtss_f32(emulated::half<__m256>(x, 0))
#define _mm512_extractf32x8_ps emulated::half<__m256>
#define _mm512_permute_ps(x, pattern) emulated::permute_ps<pattern>(x)
#define _mm512_maskz_loadu_ps emulated::maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated::mask_storeu_ps
