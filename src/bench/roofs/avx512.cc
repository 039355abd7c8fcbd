#include <immintrin.h>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

std::uint64_t read(const std::byte* bytes, std::size_t count) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (std::size_t i = 0; i < count; i += 256) {
    const auto* p = reinterpret_cast<const char*>(bytes) + i;
    _mm_prefetch(p + 4096, _MM_HINT_T0);
    _mm_prefetch(p + 4160, _MM_HINT_T0);
    _mm_prefetch(p + 4224, _MM_HINT_T0);
    _mm_prefetch(p + 4288, _MM_HINT_T0);
    a = _mm512_xor_si512(a, _mm512_loadu_si512(p));
    b = _mm512_xor_si512(b, _mm512_loadu_si512(p + 64));
    c = _mm512_xor_si512(c, _mm512_loadu_si512(p + 128));
    d = _mm512_xor_si512(d, _mm512_loadu_si512(p + 192));
  }
  std::uint64_t lanes[8];
  _mm512_storeu_si512(lanes, _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d)));
  std::uint64_t sum = 0;
  for (std::uint64_t lane : lanes) sum ^= lane;
  return sum;
}

constexpr int kChains = 12;

float fp32(std::int64_t rounds) {
  __m512 acc[kChains];
  volatile float seed = 0.5f;
  const __m512 x = _mm512_set1_ps(seed);
  for (auto& a : acc) a = x;
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm512_fmadd_ps(acc[c], x, x);
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm512_add_ps(acc[0], acc[c]);
  return _mm512_cvtss_f32(acc[0]);
}

}  // namespace

const RoofKernels& roofs_avx512() {
  static constexpr RoofKernels kRoofs{Isa::kAvx512, read, fp32,    kChains * 32,
                                      nullptr,      0,    nullptr, 0};
  return kRoofs;
}

}  // namespace farthing::bench
