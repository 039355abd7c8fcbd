// Integer vectors in AVX-512 F, BW. int_scalar.h says what each operation means.
#pragma once

#include "simd/float_avx512.h"

namespace farthing::simd {

struct IntAvx512 {
  using Float = FloatAvx512;
  static constexpr int kSumVectors = 8;  // of 16 sums, that stay in registers beside others
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
  FARTHING_SIMD std::int32_t sum(I a) {
    const __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b01001110));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0b10110001)));
  }
  FARTHING_SIMD I bits_of(Float::F x) { return _mm512_castps_si512(x); }
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

  // Four words: inputs 0 and 2, then 1 and 3; see int_avx2.h.
  struct Words {
    using Isa = IntAvx512;
    using Partial = I;
    struct X {
      I even, odd;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {_mm512_set1_epi32(x[0]), _mm512_set1_epi32(x[stride])};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      store_groups(x, whole,
                   _mm_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      const B even = _mm512_and_si512(codes, _mm512_set1_epi16(255));
      sums = _mm512_add_epi32(sums, _mm512_madd_epi16(even, x.even));
      in_order(sums);
      sums = _mm512_add_epi32(sums, _mm512_madd_epi16(_mm512_srli_epi16(codes, 8), x.odd));
      in_order(sums);
      return sums;
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };

 protected:
  // Of every four numbers the bytes that `order` puts first: four dwords of these, then four of
  // those after them.
  FARTHING_SIMD void store_groups(std::int32_t* x, __m512i numbers, __m128i order) {
    const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512i bytes = _mm512_shuffle_epi8(numbers, _mm512_broadcast_i32x4(order));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(x),
                        _mm512_castsi512_si256(_mm512_permutexvar_epi32(firsts, bytes)));
  }

 private:
  FARTHING_SIMD void in_order([[maybe_unused]] I& sum) {  // see int_avx2.h
#if defined(__AVX512F__)                                  // not emulated
    __asm__("" : "+v"(sum));
#endif
  }
  FARTHING_SIMD __m256i words(Float::F whole) {
    return _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(whole));
  }
  FARTHING_SIMD void store_16(std::int8_t* p, __m256i x) {  // the low bytes
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtepi16_epi8(x));
  }
};

}  // namespace farthing::simd
