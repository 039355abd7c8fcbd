#include <immintrin.h>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

constexpr int kChains = 12;

float bf16(std::int64_t rounds) {
  __m512 acc[kChains];
  volatile short seed = 0x3F00;  // 0.5
  const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(seed));
  for (auto& a : acc) a = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm512_dpbf16_ps(acc[c], x, x);
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm512_add_ps(acc[0], acc[c]);
  return _mm512_cvtss_f32(acc[0]);
}

}  // namespace

const RoofKernels& roofs_avx512bf16() {
  static constexpr RoofKernels kRoofs{Isa::kAvx512Bf16, nullptr, nullptr, 0,
                                      nullptr,          0,       bf16,    kChains * 64};
  return kRoofs;
}

}  // namespace farthing::bench
