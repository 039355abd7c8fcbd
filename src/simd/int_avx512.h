// Integer vectors in AVX-512 F, BW. int_scalar.h says what each operation means.
#pragma once

#include "simd/float_avx512.h"

namespace farthing::simd {

struct IntAvx512 {
  using Float = FloatAvx512;
  using I = __m512i;
  using B = __m512i;

  FARTHING_SIMD B load(const std::byte* p) { return _mm512_loadu_si512(p); }
  FARTHING_SIMD void store(std::byte* p, B b) { _mm512_storeu_si512(p, b); }
  FARTHING_SIMD B bits(B b, int shift, int mask) {
    if (shift > 0) b = _mm512_srli_epi16(b, static_cast<unsigned>(shift));
    if (shift < 0) b = _mm512_slli_epi16(b, static_cast<unsigned>(-shift));
    return _mm512_and_si512(b, _mm512_set1_epi8(static_cast<char>(mask)));
  }
  FARTHING_SIMD B join(B a, B b) { return _mm512_or_si512(a, b); }
  FARTHING_SIMD B load_table(const std::uint8_t* p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  FARTHING_SIMD B look_up(B table, B codes) { return _mm512_shuffle_epi8(table, codes); }

  FARTHING_SIMD I zero() { return _mm512_setzero_si512(); }
  FARTHING_SIMD I set(std::int32_t x) { return _mm512_set1_epi32(x); }
  FARTHING_SIMD I add(I a, I b) { return _mm512_add_epi32(a, b); }
  FARTHING_SIMD Float::F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  FARTHING_SIMD void store_words(std::int16_t* p, Float::F whole) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words(whole));
  }
  FARTHING_SIMD void store_bytes(std::int8_t* p, Float::F whole) { store_16(p, words(whole)); }
  FARTHING_SIMD void store_planes(std::int8_t* high, std::int8_t* low, Float::F whole) {
    const __m256i x = words(whole);
    store_16(high, _mm256_srai_epi16(_mm256_add_epi16(x, _mm256_set1_epi16(128)), 8));
    store_16(low, x);
  }
  FARTHING_SIMD Float::F code_floats(B b, int input) {
    return _mm512_cvtepi32_ps(
        _mm512_and_si512(_mm512_srli_epi32(b, 8u * static_cast<unsigned>(input)), set(255)));
  }
  FARTHING_SIMD Float::F look_up_floats(const float* table, B b, int input) {
    return _mm512_permutexvar_ps(_mm512_srli_epi32(b, 8u * static_cast<unsigned>(input)),
                                 _mm512_loadu_ps(table));
  }

 private:
  FARTHING_SIMD __m256i words(Float::F whole) {
    return _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(whole));
  }
  FARTHING_SIMD void store_16(std::int8_t* p, __m256i x) {  // the low bytes
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtepi16_epi8(x));
  }
};

}  // namespace farthing::simd
