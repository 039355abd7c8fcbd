#include <immintrin.h>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

constexpr int kChains = 12;

std::int32_t int8(std::int64_t rounds) {
  __m512i acc[kChains];
  volatile char seed = 3;
  const __m512i x = _mm512_set1_epi8(seed);
  for (int c = 0; c < kChains; ++c) acc[c] = _mm512_set1_epi32(c);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm512_dpbusd_epi32(acc[c], x, x);
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm512_xor_si512(acc[0], acc[c]);
  return _mm_cvtsi128_si32(_mm512_castsi512_si128(acc[0]));
}

}  // namespace

const RoofKernels& roofs_avx512vnni() {
  static constexpr RoofKernels kRoofs{Isa::kAvx512Vnni, nullptr, nullptr, 0, int8,
                                      kChains * 128,    nullptr, 0};
  return kRoofs;
}

}  // namespace farthing::bench
