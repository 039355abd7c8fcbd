#include <immintrin.h>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

constexpr int kChains = 12;

std::int32_t int8(std::int64_t rounds) {
  __m256i acc[kChains];
  volatile char seed = 3;
  const __m256i x = _mm256_set1_epi8(seed);
  for (int c = 0; c < kChains; ++c) acc[c] = _mm256_set1_epi32(c);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm256_dpbusd_avx_epi32(acc[c], x, x);
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm256_xor_si256(acc[0], acc[c]);
  return _mm256_extract_epi32(acc[0], 0);
}

}  // namespace

const RoofKernels& roofs_avxvnni() {
  static constexpr RoofKernels kRoofs{Isa::kAvxVnni, nullptr,      nullptr, 0,
                                      int8,          kChains * 64, nullptr, 0};
  return kRoofs;
}

}  // namespace farthing::bench
