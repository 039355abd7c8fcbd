#include <immintrin.h>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Bf16 {
  using Sum = __m512;
  using Input = __m512i;
  FARTHING_SIMD Input start() { return _mm512_set1_epi16(0x3F00); }  // 0.5
  FARTHING_SIMD Sum add_product(Sum sum, Input x) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(x));
  }
  FARTHING_SIMD float first(Sum sum) { return _mm512_cvtss_f32(sum); }
};

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kBf16, "vdpbf16ps", 12 * 64, multiply_add<Bf16, 12>},
};

}  // namespace

RoofSet roofs_avx512bf16() { return {Isa::kAvx512Bf16, {}, kPeaks}; }

}  // namespace farthing::bench
