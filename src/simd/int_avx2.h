// Integer vectors in AVX2: pairs of registers. int_scalar.h says what each operation means.
#pragma once

#include "simd/float_avx2.h"

namespace farthing::simd {

struct IntAvx2 {
  using Float = FloatAvx2;
  static constexpr int kSumVectors = 4;  // of 16 sums, that stay in registers beside others
  struct Pair {
    __m256i a, b;
  };
  using I = Pair;
  using B = Pair;

  FARTHING_SIMD B load(const std::byte* p) { return {load_32(p), load_32(p + 32)}; }
  FARTHING_SIMD void store(std::byte* p, B b) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(p), b.a);
    _mm256_store_si256(reinterpret_cast<__m256i*>(p + 32), b.b);
  }
  FARTHING_SIMD B bits(B b, int shift, int mask) {
    if (shift > 0) b = {_mm256_srli_epi16(b.a, shift), _mm256_srli_epi16(b.b, shift)};
    if (shift < 0) b = {_mm256_slli_epi16(b.a, -shift), _mm256_slli_epi16(b.b, -shift)};
    const __m256i kept = _mm256_set1_epi8(static_cast<char>(mask));
    return {_mm256_and_si256(b.a, kept), _mm256_and_si256(b.b, kept)};
  }
  FARTHING_SIMD B join(B x, B y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
  FARTHING_SIMD B load_table(const std::uint8_t* p) {
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return {table, table};
  }
  FARTHING_SIMD B look_up(B table, B codes) {
    return {_mm256_shuffle_epi8(table.a, codes.a), _mm256_shuffle_epi8(table.b, codes.b)};
  }

  FARTHING_SIMD I zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  FARTHING_SIMD I set(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  FARTHING_SIMD I add(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
  FARTHING_SIMD std::int32_t sum(I x) {
    const __m256i half = _mm256_add_epi32(x.a, x.b);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b01001110));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0b10110001)));
  }
  FARTHING_SIMD I bits_of(Float::F x) {
    return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)};
  }
  FARTHING_SIMD Float::F to_float(I x) {
    return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
  }
  FARTHING_SIMD Float::F code_floats(B x, int input) {
    return to_float({byte_of(x.a, input), byte_of(x.b, input)});
  }
  FARTHING_SIMD Float::F look_up_floats(const float* table, B x, int input) {
    return {look_up(table, byte_of(x.a, input)), look_up(table, byte_of(x.b, input))};
  }
  FARTHING_SIMD void store_words(std::int16_t* p, Float::F whole) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words(whole));
  }
  FARTHING_SIMD void store_bytes(std::int8_t* p, Float::F whole) { store_16(p, words(whole)); }
  FARTHING_SIMD void store_planes(std::int8_t* high, std::int8_t* low, Float::F whole) {
    const __m256i x = words(whole), round = _mm256_set1_epi16(128);
    store_16(high, _mm256_srai_epi16(_mm256_add_epi16(x, round), 8));
    store_16(low, _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
  }

  // A sum is complete here: g++ 12 would collect the products of many inputs first, in memory.
  FARTHING_SIMD void in_order(__m256i& sum) { __asm__("" : "+x"(sum)); }

  // Four signed bytes within +-127; only for codes of few bits: kFlush sums of two products fit 16
  // bits. So flush() after every kFlush dot().
  template <int kBits>
  struct SmallBytes {
    using Isa = IntAvx2;
    struct Partial {
      I sums;
      Pair words;  // two an output
    };
    using X = __m256i;
    static constexpr int kDwords = 1, kFlush = kBits <= 4 ? 8 : kBits == 5 ? 4 : 2;
    static_assert(kFlush * 2 * ((1 << kBits) - 1) * 127 <= 32767);
    FARTHING_SIMD Partial start(I first) { return {first, zero()}; }
    FARTHING_SIMD X input(const std::int32_t* x, int) { return _mm256_set1_epi32(*x); }
    FARTHING_SIMD Partial dot(Partial partial, B codes, X x) {
      partial.words.a = _mm256_add_epi16(partial.words.a, _mm256_maddubs_epi16(codes.a, x));
      partial.words.b = _mm256_add_epi16(partial.words.b, _mm256_maddubs_epi16(codes.b, x));
      in_order(partial.words.a);
      in_order(partial.words.b);
      return partial;
    }
    FARTHING_SIMD void flush(Partial& partial) {
      const __m256i ones = _mm256_set1_epi16(1);
      partial.sums = add(partial.sums, {_mm256_madd_epi16(partial.words.a, ones),
                                        _mm256_madd_epi16(partial.words.b, ones)});
      partial.words = zero();
    }
    FARTHING_SIMD I finish(Partial partial) { return partial.sums; }

    using Ready = B;
    static constexpr int kReadyBytes = 64, kReadyStep = kFlush;
    FARTHING_SIMD void make_ready(B codes, std::byte* room) { store(room, codes); }
    FARTHING_SIMD Ready load_ready(const std::byte* room) { return load(room); }
    FARTHING_SIMD Partial dot_ready(Partial partial, Ready codes, X x) {
      return dot(partial, codes, x);
    }
  };
  // Four words: inputs 0 and 2, then 1 and 3. Any codes, inputs of 8 and of 16 bits.
  struct Words {
    using Isa = IntAvx2;
    using Partial = I;
    struct X {
      __m256i even, odd;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) {
      return {_mm256_set1_epi32(x[0]), _mm256_set1_epi32(x[stride])};
    }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      store_groups(x, whole,
                   _mm_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    FARTHING_SIMD Partial dot(Partial sums, B codes, X x) {
      return dot_ready(sums, {even(codes), odd(codes)}, x);
    }
    FARTHING_SIMD void flush(Partial&) {}
    FARTHING_SIMD I finish(Partial sums) { return sums; }

    struct Ready {
      Pair even, odd;
    };
    static constexpr int kReadyBytes = 128, kReadyStep = 4;
    FARTHING_SIMD void make_ready(B codes, std::byte* room) {
      store(room, even(codes));
      store(room + 64, odd(codes));
    }
    FARTHING_SIMD Ready load_ready(const std::byte* room) { return {load(room), load(room + 64)}; }
    FARTHING_SIMD Partial dot_ready(Partial sums, Ready codes, X x) {
      return {dot(sums.a, codes.even.a, codes.odd.a, x), dot(sums.b, codes.even.b, codes.odd.b, x)};
    }

   private:
    FARTHING_SIMD Pair even(B codes) {
      const __m256i low = _mm256_set1_epi16(255);
      return {_mm256_and_si256(codes.a, low), _mm256_and_si256(codes.b, low)};
    }
    FARTHING_SIMD Pair odd(B codes) {
      return {_mm256_srli_epi16(codes.a, 8), _mm256_srli_epi16(codes.b, 8)};
    }
    FARTHING_SIMD __m256i dot(__m256i sums, __m256i even, __m256i odd, X x) {
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(even, x.even));
      in_order(sums);
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(odd, x.odd));
      in_order(sums);
      return sums;
    }
  };

 protected:
  // Of every four numbers the bytes that `order` puts first: four dwords of these, then four of
  // those after them.
  FARTHING_SIMD void store_groups(std::int32_t* x, I numbers, __m128i order) {
    const __m256i both = _mm256_broadcastsi128_si256(order);
    const __m256i bytes = _mm256_unpacklo_epi32(_mm256_shuffle_epi8(numbers.a, both),
                                                _mm256_shuffle_epi8(numbers.b, both));
    // Groups 0 2 1 3 by now: the low lane has 0, 2 and the second dwords of them, and so on.
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(x),
        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }

 private:
  FARTHING_SIMD __m256i words(Float::F whole) {
    const __m256i packed =
        _mm256_packs_epi32(_mm256_cvtps_epi32(whole.a), _mm256_cvtps_epi32(whole.b));
    return _mm256_permute4x64_epi64(packed, 0b11011000);
  }
  FARTHING_SIMD void store_16(std::int8_t* p, __m256i x) {  // of words within a byte
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
  FARTHING_SIMD __m256i byte_of(__m256i x, int input) {
    return _mm256_and_si256(_mm256_srli_epi32(x, 8 * input), _mm256_set1_epi32(255));
  }
  FARTHING_SIMD __m256 look_up(const float* table, __m256i codes) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), codes);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), codes);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
  }
  FARTHING_SIMD __m256i load_32(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
};

}  // namespace farthing::simd
