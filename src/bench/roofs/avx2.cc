#include <immintrin.h>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

std::uint64_t read(const std::byte* bytes, std::size_t count) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  const auto* p = reinterpret_cast<const __m256i*>(bytes);
  for (std::size_t i = 0; i < count / 32; i += 4) {
    _mm_prefetch(reinterpret_cast<const char*>(p + i) + 2048, _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(p + i) + 2112, _MM_HINT_T0);
    a = _mm256_xor_si256(a, _mm256_loadu_si256(p + i));
    b = _mm256_xor_si256(b, _mm256_loadu_si256(p + i + 1));
    c = _mm256_xor_si256(c, _mm256_loadu_si256(p + i + 2));
    d = _mm256_xor_si256(d, _mm256_loadu_si256(p + i + 3));
  }
  a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
  return static_cast<std::uint64_t>(_mm256_extract_epi64(a, 0) ^ _mm256_extract_epi64(a, 1) ^
                                    _mm256_extract_epi64(a, 2) ^ _mm256_extract_epi64(a, 3));
}

constexpr int kChains = 12;

float fp32(std::int64_t rounds) {
  __m256 acc[kChains];
  volatile float seed = 0.5f;
  const __m256 x = _mm256_set1_ps(seed);
  for (auto& a : acc) a = x;
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm256_fmadd_ps(acc[c], x, x);
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm256_add_ps(acc[0], acc[c]);
  return _mm256_cvtss_f32(acc[0]);
}

// Two bounded products summed in 16 bits, then widened: the integer dot product of AVX2.
std::int32_t int8(std::int64_t rounds) {
  __m256i acc[kChains];
  volatile char seed = 3;
  const __m256i x = _mm256_set1_epi8(seed), ones = _mm256_set1_epi16(1);
  for (int c = 0; c < kChains; ++c) acc[c] = _mm256_set1_epi32(c);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) {
      const __m256i weights = _mm256_xor_si256(acc[c], x);
      acc[c] = _mm256_add_epi32(acc[c], _mm256_madd_epi16(_mm256_maddubs_epi16(weights, x), ones));
    }
  }
  for (int c = 1; c < kChains; ++c) acc[0] = _mm256_xor_si256(acc[0], acc[c]);
  return _mm256_extract_epi32(acc[0], 0);
}

}  // namespace

const RoofKernels& roofs_avx2() {
  static constexpr RoofKernels kRoofs{Isa::kAvx2, read,         fp32,    kChains * 16,
                                      int8,       kChains * 64, nullptr, 0};
  return kRoofs;
}

}  // namespace farthing::bench
