// Sixteen floats at a time in AVX2: pairs of registers. float_scalar.h says what each operation
// means; every instruction set gives the same bits.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/inline.h"

namespace farthing::simd {

struct FloatAvx2 {
  static constexpr int kRegisterRows = 3;
  struct F {
    __m256 a, b;
  };
  using M = F;
  struct D {
    __m256d a, b, c, d;
  };

  FARTHING_SIMD F zero() { return set(0.0f); }
  FARTHING_SIMD F set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  FARTHING_SIMD F lanes() {
    return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_ps(8, 9, 10, 11, 12, 13, 14, 15)};
  }
  FARTHING_SIMD F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  FARTHING_SIMD F load_first(const float* p, int n) {
    const M m = range(0, n);
    return {_mm256_maskload_ps(p, _mm256_castps_si256(m.a)),
            _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.b))};
  }
  FARTHING_SIMD void store(float* p, F x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
  }
  FARTHING_SIMD void store_first(float* p, F x, int n) {
    const M m = range(0, n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.a), x.a);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.b), x.b);
  }
  FARTHING_SIMD void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  FARTHING_SIMD void prefetch_once(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_NTA);
  }

  FARTHING_SIMD F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  FARTHING_SIMD F sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  FARTHING_SIMD F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  FARTHING_SIMD F div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  FARTHING_SIMD F fma(F x, F y, F z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }
  FARTHING_SIMD F fnma(F x, F y, F z) {
    return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
  }
  FARTHING_SIMD F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  FARTHING_SIMD F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  FARTHING_SIMD F abs(F x) {
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(bit, x.a), _mm256_andnot_ps(bit, x.b)};
  }
  FARTHING_SIMD F with_sign_of(F x, F sign) {
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(bit, x.a), _mm256_and_ps(bit, sign.a)),
            _mm256_or_ps(_mm256_andnot_ps(bit, x.b), _mm256_and_ps(bit, sign.b))};
  }
  FARTHING_SIMD F round(F x) {
    return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  FARTHING_SIMD F times_power(F x, F n) { return {times_power(x.a, n.a), times_power(x.b, n.b)}; }

  FARTHING_SIMD M less(F x, F y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
  }
  FARTHING_SIMD M range(int first, int last) {
    const __m256i i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), eight = _mm256_set1_epi32(8);
    const __m256i from = _mm256_set1_epi32(first), to = _mm256_set1_epi32(last);
    return {within(i, from, to), within(_mm256_add_epi32(i, eight), from, to)};
  }
  FARTHING_SIMD F select(M m, F yes, F no) {
    return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
  }

  FARTHING_SIMD float sum(F x) {
    const __m256 half = _mm256_add_ps(x.a, x.b);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  FARTHING_SIMD float largest(F x) {
    const __m256 half = _mm256_max_ps(x.a, x.b);
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  FARTHING_SIMD float first(F x) { return _mm256_cvtss_f32(x.a); }

  FARTHING_SIMD F swap_pairs(F x) {
    return {_mm256_permute_ps(x.a, 0b10110001), _mm256_permute_ps(x.b, 0b10110001)};
  }
  FARTHING_SIMD F alternate_sign(F x) {
    const __m256 bits = _mm256_setr_ps(-0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f, 0);
    return {_mm256_xor_ps(x.a, bits), _mm256_xor_ps(x.b, bits)};
  }
  FARTHING_SIMD F load_twice(const float* p) {
    const __m256 x = _mm256_loadu_ps(p);
    return {_mm256_permutevar8x32_ps(x, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
            _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
  }

  FARTHING_SIMD F load_bf16(const std::byte* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p)), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p + 16)), 16))};
  }
  FARTHING_SIMD F load_f16(const std::byte* p) {
    return {_mm256_cvtph_ps(load_16(p)), _mm256_cvtph_ps(load_16(p + 16))};
  }
  FARTHING_SIMD F load_i8(const std::byte* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_8(p))),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_8(p + 8)))};
  }
  template <bool kHigh>
  FARTHING_SIMD F load_half_bytes(const std::byte* p) {
    const __m256i a = _mm256_cvtepu8_epi32(load_8(p)), b = _mm256_cvtepu8_epi32(load_8(p + 8));
    return {code_values(kHigh ? _mm256_srli_epi32(a, 4) : a),
            code_values(kHigh ? _mm256_srli_epi32(b, 4) : b)};
  }
  FARTHING_SIMD F load_split_bytes(const std::byte* p) {
    const __m256i bytes = _mm256_cvtepu8_epi32(load_8(p));
    return {code_values(bytes), code_values(_mm256_srli_epi32(bytes, 4))};
  }

  FARTHING_SIMD D zero_wide() {
    const __m256d z = _mm256_setzero_pd();
    return {z, z, z, z};
  }
  FARTHING_SIMD D add_wide(D sum, F x) {
    const D w = wide(x);
    return {_mm256_add_pd(sum.a, w.a), _mm256_add_pd(sum.b, w.b), _mm256_add_pd(sum.c, w.c),
            _mm256_add_pd(sum.d, w.d)};
  }
  FARTHING_SIMD D add_squares(D sum, F x, double mean) {
    const D w = wide(x);
    return {add_square(sum.a, w.a, mean), add_square(sum.b, w.b, mean),
            add_square(sum.c, w.c, mean), add_square(sum.d, w.d, mean)};
  }
  FARTHING_SIMD F normalise(F x, double mean, double factor) {
    const D w = wide(x);
    return {_mm256_set_m128(shifted(w.b, mean, factor), shifted(w.a, mean, factor)),
            _mm256_set_m128(shifted(w.d, mean, factor), shifted(w.c, mean, factor))};
  }
  FARTHING_SIMD double sum_wide(D x) {
    const __m256d four = _mm256_add_pd(_mm256_add_pd(x.a, x.c), _mm256_add_pd(x.b, x.d));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  // Two steps, so that each power is a normal number; only the second can round.
  FARTHING_SIMD __m256 times_power(__m256 x, __m256 n) {
    const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return _mm256_mul_ps(_mm256_mul_ps(x, power(half)), power(_mm256_sub_epi32(whole, half)));
  }
  FARTHING_SIMD __m256 power(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  FARTHING_SIMD __m256 within(__m256i i, __m256i from, __m256i to) {
    return _mm256_castsi256_ps(
        _mm256_andnot_si256(_mm256_cmpgt_epi32(from, i), _mm256_cmpgt_epi32(to, i)));
  }
  FARTHING_SIMD D wide(F x) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(x.a)),
            _mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
            _mm256_cvtps_pd(_mm256_castps256_ps128(x.b)),
            _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1))};
  }
  FARTHING_SIMD __m256d add_square(__m256d sum, __m256d x, double mean) {
    const __m256d d = _mm256_sub_pd(x, _mm256_set1_pd(mean));
    return _mm256_fmadd_pd(d, d, sum);
  }
  FARTHING_SIMD __m128 shifted(__m256d x, double mean, double factor) {
    return _mm256_cvtpd_ps(
        _mm256_mul_pd(_mm256_sub_pd(x, _mm256_set1_pd(mean)), _mm256_set1_pd(factor)));
  }
  FARTHING_SIMD __m128i load_16(const std::byte* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  FARTHING_SIMD __m128i load_8(const std::byte* p) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  }
  // The low four bits of each lane, minus 8: put as the last bits of the mantissa of 2^23.
  FARTHING_SIMD __m256 code_values(__m256i x) {
    const __m256i code = _mm256_and_si256(x, _mm256_set1_epi32(15));
    const __m256 number = _mm256_castsi256_ps(_mm256_or_si256(code, _mm256_set1_epi32(0x4B000000)));
    return _mm256_sub_ps(number, _mm256_set1_ps(8388616.0f));
  }
};

}  // namespace farthing::simd
