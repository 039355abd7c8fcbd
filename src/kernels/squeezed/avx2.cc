#include <immintrin.h>

#include "kernels/squeezed/thin_body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {
namespace {

// For each mask of eight bits, where each of eight elements comes from; 128: nowhere.
template <int kBytes>
struct Shuffles {
  alignas(64) std::uint8_t at[256][8 * kBytes];
  constexpr Shuffles() : at() {
    for (int mask = 0; mask < 256; ++mask)
      for (int i = 0, n = 0; i < 8; ++i) {
        const bool kept = (mask >> i & 1) != 0;
        for (int b = 0; b < kBytes; ++b)
          at[mask][i * kBytes + b] = static_cast<std::uint8_t>(kept ? n * kBytes + b : 128);
        n += kept ? 1 : 0;
      }
  }
};
constexpr Shuffles<1> kOfBytes;
constexpr Shuffles<2> kOfWords;

struct Avx2 {
  using Float = simd::FloatAvx2;

  FARTHING_SIMD __m128i eight(unsigned mask, const std::byte*& values) {
    const __m128i taken = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(values));
    values += __builtin_popcount(mask);
    return _mm_shuffle_epi8(taken,
                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kOfBytes.at[mask])));
  }
  FARTHING_SIMD __m128i sixteen(std::uint64_t mask, const std::byte*& values) {
    const __m128i low = eight(mask & 255, values);
    return _mm_unpacklo_epi64(low, eight(mask >> 8 & 255, values));
  }
  FARTHING_SIMD void store(std::byte* to, __m128i x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
  }

  FARTHING_SIMD void expand(std::uint64_t mask, const std::byte* values, std::byte* to,
                            std::uint8_t zero) {
    const __m128i flip = _mm_set1_epi8(static_cast<char>(zero));
    FARTHING_UNROLL
    for (int i = 0; i < 4; ++i)
      store(to + 16 * i, _mm_xor_si128(sixteen(mask >> 16 * i, values), flip));
  }
  FARTHING_SIMD void expand_words(std::uint32_t mask, const std::byte* values, std::byte* to) {
    FARTHING_UNROLL
    for (int i = 0; i < 4; ++i) {
      const unsigned bits = mask >> 8 * i & 255;
      const __m128i taken = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
      values += 2 * __builtin_popcount(bits);
      store(to + 16 * i,
            _mm_shuffle_epi8(taken,
                             _mm_load_si128(reinterpret_cast<const __m128i*>(kOfWords.at[bits]))));
    }
  }
  FARTHING_SIMD __m256 eight_floats(unsigned mask, const std::byte*& values) {
    const __m128i taken = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
    values += 2 * __builtin_popcount(mask);
    const __m128i words = _mm_shuffle_epi8(
        taken, _mm_load_si128(reinterpret_cast<const __m128i*>(kOfWords.at[mask])));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
  }
  FARTHING_SIMD void words(std::uint32_t mask, const std::byte* values, Float::F* two) {
    two[0].a = eight_floats(mask & 255, values);
    two[0].b = eight_floats(mask >> 8 & 255, values);
    two[1].a = eight_floats(mask >> 16 & 255, values);
    two[1].b = eight_floats(mask >> 24, values);
  }
  // 32 bytes of two halves each as 64 bytes, in order.
  FARTHING_SIMD void spread(const std::byte* values, std::byte* to) {
    const __m128i mask = _mm_set1_epi8(15);
    FARTHING_UNROLL
    for (int i = 0; i < 2; ++i) {
      const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 16 * i));
      const __m128i low = _mm_and_si128(both, mask);
      const __m128i high = _mm_and_si128(_mm_srli_epi16(both, 4), mask);
      store(to + 32 * i, _mm_unpacklo_epi8(low, high));
      store(to + 32 * i + 16, _mm_unpackhi_epi8(low, high));
    }
  }
  FARTHING_SIMD void expand_halves(std::uint64_t low, const std::byte* low_values,
                                   std::uint64_t high, const std::byte* high_values, std::byte* to,
                                   std::uint8_t zero) {
    alignas(64) std::byte lows[72], highs[72];  // eight bytes are read at a time
    spread(low_values, lows);
    spread(high_values, highs);
    const __m128i flip = _mm_set1_epi8(static_cast<char>(zero));
    const std::byte *l = lows, *h = highs;
    FARTHING_UNROLL
    for (int i = 0; i < 4; ++i) {
      const __m128i up = _mm_slli_epi16(sixteen(high >> 16 * i, h), 4);  // halves stay in bytes
      store(to + 16 * i, _mm_xor_si128(_mm_or_si128(sixteen(low >> 16 * i, l), up), flip));
    }
  }
};

}  // namespace

void expand_avx2(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  expand<Avx2>(s, from, to);
}

void thin_words_avx2(const SqueezedTiles& s, const LinearSlice& slice) {
  run_thin<Avx2, 2>(s, slice);
}

}  // namespace farthing::kernels
