#include <immintrin.h>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Integers {
  using Sum = __m512i;
  using Input = __m512i;
  FARTHING_SIMD Input start() { return _mm512_set1_epi8(3); }
  FARTHING_SIMD int first(Sum sum) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(sum)); }
};
struct Int8 : Integers {
  FARTHING_SIMD Sum add_product(Sum sum, Input x) { return _mm512_dpbusd_epi32(sum, x, x); }
};
struct Int16 : Integers {
  FARTHING_SIMD Input start() { return _mm512_set1_epi16(3); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) { return _mm512_dpwssd_epi32(sum, x, x); }
};

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kInt16, "vpdpwssd", 12 * 64, multiply_add<Int16, 12>},
    {Arithmetic::kInt8, "vpdpbusd", 12 * 128, multiply_add<Int8, 12>},
};

}  // namespace

RoofSet roofs_avx512vnni() { return {Isa::kAvx512Vnni, {}, kPeaks}; }

}  // namespace farthing::bench
