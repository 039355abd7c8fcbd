#include <immintrin.h>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Int8 {
  using Sum = __m256i;
  using Input = __m256i;
  FARTHING_SIMD Input start() { return _mm256_set1_epi8(3); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) { return _mm256_dpbusd_avx_epi32(sum, x, x); }
  FARTHING_SIMD int first(Sum sum) { return _mm256_extract_epi32(sum, 0); }
};

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kInt8, "vpdpbusd", 12 * 64, multiply_add<Int8, 12>},
};

}  // namespace

RoofSet roofs_avxvnni() { return {Isa::kAvxVnni, {}, kPeaks}; }

}  // namespace farthing::bench
