#include <immintrin.h>

#include "kernels/squeezed/thin_body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {
namespace {

struct Vbmi2 {
  using Float = simd::FloatAvx512;

  FARTHING_SIMD __m512i load(const std::byte* p) { return _mm512_loadu_si512(p); }
  FARTHING_SIMD void store(std::byte* to, __m512i x, std::uint8_t zero) {
    _mm512_storeu_si512(to, _mm512_xor_si512(x, _mm512_set1_epi8(static_cast<char>(zero))));
  }

  FARTHING_SIMD void expand(std::uint64_t mask, const std::byte* values, std::byte* to,
                            std::uint8_t zero) {
    store(to, _mm512_maskz_expand_epi8(mask, load(values)), zero);
  }
  FARTHING_SIMD void expand_words(std::uint32_t mask, const std::byte* values, std::byte* to) {
    store(to, _mm512_maskz_expand_epi16(mask, load(values)), 0);
  }
  FARTHING_SIMD void words(std::uint32_t mask, const std::byte* values, Float::F* two) {
    alignas(64) std::byte room[64];  // stays in registers
    _mm512_store_si512(room, _mm512_maskz_expand_epi16(mask, load(values)));
    two[0] = Float::load_bf16(room);
    two[1] = Float::load_bf16(room + 32);
  }
  // Halves 2 i and 2 i + 1 of byte i, as bytes of their own.
  FARTHING_SIMD __m512i spread(const std::byte* values) {
    const __m512i wide =
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
    return _mm512_and_si512(_mm512_or_si512(wide, _mm512_slli_epi16(wide, 4)),
                            _mm512_set1_epi8(15));
  }
  FARTHING_SIMD void expand_halves(std::uint64_t low, const std::byte* low_values,
                                   std::uint64_t high, const std::byte* high_values, std::byte* to,
                                   std::uint8_t zero) {
    const __m512i lows = _mm512_maskz_expand_epi8(low, spread(low_values));
    const __m512i highs = _mm512_maskz_expand_epi8(high, spread(high_values));
    store(to, _mm512_or_si512(lows, _mm512_slli_epi16(highs, 4)), zero);
  }
};

}  // namespace

void expand_avx512vbmi2(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  expand<Vbmi2>(s, from, to);
}

void thin_avx512vbmi2(const SqueezedTiles& s, const LinearSlice& slice) {
  run_thin<Vbmi2>(s, slice);
}

}  // namespace farthing::kernels
