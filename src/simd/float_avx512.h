// Sixteen floats at a time in AVX-512. float_scalar.h says what each operation means; every
// instruction set gives the same bits.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/inline.h"

namespace farthing::simd {

struct FloatAvx512 {
  static constexpr int kRegisterRows = 8;  // rows that a small matrix product keeps in registers
  using F = __m512;
  using M = __mmask16;
  struct D {
    __m512d low, high;
  };

  FARTHING_SIMD F zero() { return _mm512_setzero_ps(); }
  FARTHING_SIMD F set(float x) { return _mm512_set1_ps(x); }
  FARTHING_SIMD F lanes() {
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  FARTHING_SIMD F load(const float* p) { return _mm512_loadu_ps(p); }
  FARTHING_SIMD F load_first(const float* p, int n) {
    return _mm512_maskz_loadu_ps(range(0, n), p);
  }
  FARTHING_SIMD void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  FARTHING_SIMD void store_first(float* p, F x, int n) { _mm512_mask_storeu_ps(p, range(0, n), x); }
  FARTHING_SIMD void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  FARTHING_SIMD void prefetch_once(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_NTA);
  }

  FARTHING_SIMD F add(F a, F b) { return _mm512_add_ps(a, b); }
  FARTHING_SIMD F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  FARTHING_SIMD F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  FARTHING_SIMD F div(F a, F b) { return _mm512_div_ps(a, b); }
  FARTHING_SIMD F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  FARTHING_SIMD F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }
  FARTHING_SIMD F max(F a, F b) { return _mm512_max_ps(a, b); }
  FARTHING_SIMD F min(F a, F b) { return _mm512_min_ps(a, b); }
  FARTHING_SIMD F abs(F x) { return _mm512_abs_ps(x); }
  FARTHING_SIMD F with_sign_of(F x, F sign) {
    const F bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, x), _mm512_and_ps(bit, sign));
  }
  FARTHING_SIMD F round(F x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  FARTHING_SIMD F times_power(F x, F n) { return _mm512_scalef_ps(x, n); }

  FARTHING_SIMD M less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  FARTHING_SIMD M range(int first, int last) {
    const unsigned below = first >= 16 ? 0xFFFFu : (1u << (first < 0 ? 0 : first)) - 1;
    const unsigned all = last >= 16 ? 0xFFFFu : (1u << (last < 0 ? 0 : last)) - 1;
    return static_cast<M>(all & ~below);
  }
  FARTHING_SIMD F select(M m, F yes, F no) { return _mm512_mask_blend_ps(m, no, yes); }

  FARTHING_SIMD float sum(F x) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  FARTHING_SIMD float largest(F x) {
    const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  FARTHING_SIMD float first(F x) { return _mm512_cvtss_f32(x); }

  FARTHING_SIMD F swap_pairs(F x) { return _mm512_permute_ps(x, 0b10110001); }
  FARTHING_SIMD F alternate_sign(F x) {
    return _mm512_castsi512_ps(
        _mm512_xor_si512(_mm512_castps_si512(x), _mm512_set1_epi64(0x80000000)));
  }
  FARTHING_SIMD F load_twice(const float* p) {
    const __m512i index = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(index, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
  }

  FARTHING_SIMD F load_bf16(const std::byte* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_32(p)), 16));
  }
  FARTHING_SIMD F load_f16(const std::byte* p) { return _mm512_cvtph_ps(load_32(p)); }
  FARTHING_SIMD F load_i8(const std::byte* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(p)));
  }
  template <bool kHigh>
  FARTHING_SIMD F load_half_bytes(const std::byte* p) {
    const __m512i bytes = _mm512_cvtepu8_epi32(load_16(p));
    return code_values(kHigh ? _mm512_srli_epi32(bytes, 4) : bytes);
  }
  FARTHING_SIMD F load_split_bytes(const std::byte* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return code_values(_mm512_cvtepu8_epi32(_mm_unpacklo_epi64(bytes, _mm_srli_epi16(bytes, 4))));
  }

  FARTHING_SIMD D zero_wide() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  FARTHING_SIMD D add_wide(D sum, F x) {
    return {_mm512_add_pd(sum.low, low(x)), _mm512_add_pd(sum.high, high(x))};
  }
  FARTHING_SIMD D add_squares(D sum, F x, double mean) {
    const __m512d m = _mm512_set1_pd(mean);
    const __m512d a = _mm512_sub_pd(low(x), m), b = _mm512_sub_pd(high(x), m);
    return {_mm512_fmadd_pd(a, a, sum.low), _mm512_fmadd_pd(b, b, sum.high)};
  }
  FARTHING_SIMD F normalise(F x, double mean, double factor) {
    const __m512d m = _mm512_set1_pd(mean), f = _mm512_set1_pd(factor);
    const __m256 a = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_sub_pd(low(x), m), f));
    const __m256 b = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_sub_pd(high(x), m), f));
    return _mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1);
  }
  FARTHING_SIMD double sum_wide(D x) {
    const __m512d eight = _mm512_add_pd(x.low, x.high);
    const __m256d four =
        _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  FARTHING_SIMD __m512d low(F x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
  FARTHING_SIMD __m512d high(F x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
  FARTHING_SIMD __m256i load_32(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  FARTHING_SIMD __m128i load_16(const std::byte* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  // The low four bits of each lane, minus 8: the permutation looks at no other bit.
  FARTHING_SIMD F code_values(__m512i x) {
    return _mm512_permutexvar_ps(
        x, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace farthing::simd
