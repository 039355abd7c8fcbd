#include <immintrin.h>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Bytes {
  using Vector = __m512i;
  FARTHING_SIMD Vector load(const std::byte* p) { return _mm512_loadu_si512(p); }
  FARTHING_SIMD Vector exclusive_or(Vector a, Vector b) { return _mm512_xor_si512(a, b); }
  FARTHING_SIMD std::uint64_t fold(Vector v) {
    std::uint64_t lanes[8], sum = 0;
    _mm512_storeu_si512(lanes, v);
    for (std::uint64_t lane : lanes) sum ^= lane;
    return sum;
  }
};

struct Fp32 {
  using Sum = __m512;
  using Input = __m512;
  FARTHING_SIMD Input start() { return _mm512_set1_ps(0.5f); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) { return _mm512_fmadd_ps(x, x, sum); }
  FARTHING_SIMD float first(Sum sum) { return _mm512_cvtss_f32(sum); }
};

struct Int16 {
  using Sum = __m512i;
  using Input = __m512i;
  FARTHING_SIMD Input start() { return _mm512_set1_epi16(3); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) {
    forget(x);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, x));
  }
  FARTHING_SIMD int first(Sum sum) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(sum)); }
};

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kFp32, "vfmadd", 12 * 32, multiply_add<Fp32, 12>},
    {Arithmetic::kInt16, "vpmaddwd, vpaddd", 12 * 64, multiply_add<Int16, 12>},
};

}  // namespace

RoofSet roofs_avx512() { return {Isa::kAvx512, kReads<Bytes>, kPeaks}; }

}  // namespace farthing::bench
