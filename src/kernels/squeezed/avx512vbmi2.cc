#include <immintrin.h>

#include "kernels/squeezed/thin_codes_body.h"
#include "simd/int_avx512vnni.h"

namespace farthing::kernels {
namespace {

struct Vbmi2 {
  using Float = simd::FloatAvx512;

  FARTHING_SIMD __m512i load(const std::byte* p) { return _mm512_loadu_si512(p); }
  FARTHING_SIMD __m512i set(std::uint8_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
  // What expanding merges into. Zen 5 lets even a zeroing vpexpand wait for what its destination
  // held, five cycles instead of one; a copy of a register waits for nothing. The compiler must not
  // know that it is zero, or it would zero.
  FARTHING_SIMD __m512i nothing() {
    __m512i zero = _mm512_setzero_si512();
#if defined(__AVX512VBMI2__)
    __asm__("" : "+v"(zero));
#endif
    return zero;
  }

  FARTHING_SIMD __m512i bytes(std::uint64_t mask, const std::byte* values, std::uint8_t zero) {
    return _mm512_xor_si512(_mm512_mask_expand_epi8(nothing(), mask, load(values)), set(zero));
  }
  // Halves 2 i and 2 i + 1 of byte i, as bytes of their own.
  FARTHING_SIMD __m512i halves(std::uint64_t mask, const std::byte* values, std::uint8_t zero) {
    const __m512i wide =
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
    const __m512i spread =
        _mm512_and_si512(_mm512_or_si512(wide, _mm512_slli_epi16(wide, 4)), set(15));
    return _mm512_xor_si512(_mm512_mask_expand_epi8(nothing(), mask, spread), set(zero));
  }
  FARTHING_SIMD void words(std::uint32_t mask, const std::byte* values, Float::F* two) {
    const __m512i x = _mm512_mask_expand_epi16(nothing(), mask, load(values));
    two[0] = floats(_mm512_castsi512_si256(x));
    two[1] = floats(_mm512_extracti64x4_epi64(x, 1));
  }

  FARTHING_SIMD void expand(std::uint64_t mask, const std::byte* values, std::byte* to,
                            std::uint8_t zero) {
    _mm512_storeu_si512(to, bytes(mask, values, zero));
  }
  FARTHING_SIMD void expand_words(std::uint32_t mask, const std::byte* values, std::byte* to) {
    _mm512_storeu_si512(to, _mm512_mask_expand_epi16(nothing(), mask, load(values)));
  }
  FARTHING_SIMD void expand_halves(std::uint64_t low, const std::byte* low_values,
                                   std::uint64_t high, const std::byte* high_values, std::byte* to,
                                   std::uint8_t zero) {
    const __m512i up = _mm512_slli_epi16(halves(high, high_values, 0), 4);
    const __m512i both = _mm512_or_si512(halves(low, low_values, 0), up);
    _mm512_storeu_si512(to, _mm512_xor_si512(both, set(zero)));
  }

 private:
  FARTHING_SIMD Float::F floats(__m256i words) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
  }
};

constexpr int kTilesAtOnce = 4;

}  // namespace

void expand_avx512vbmi2(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  expand<Vbmi2>(s, from, to);
}
void thin_words_avx512vbmi2(const SqueezedTiles& s, const LinearSlice& slice) {
  run_thin<Vbmi2, kTilesAtOnce>(s, slice);
}
void thin_int8_avx512vbmi2(const SqueezedTiles& s, const LinearSlice& slice) {
  run_thin_codes_of<Vbmi2, simd::IntAvx512Vnni::Bytes>(s, slice);
}
void thin_int16_avx512vbmi2(const SqueezedTiles& s, const LinearSlice& slice) {
  run_thin_codes_of<Vbmi2, simd::IntAvx512Vnni::Planes>(s, slice);
}

}  // namespace farthing::kernels
