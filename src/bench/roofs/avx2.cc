#include <immintrin.h>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Bytes {
  using Vector = __m256i;
  FARTHING_SIMD Vector load(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  FARTHING_SIMD Vector exclusive_or(Vector a, Vector b) { return _mm256_xor_si256(a, b); }
  FARTHING_SIMD std::uint64_t fold(Vector v) {
    return static_cast<std::uint64_t>(_mm256_extract_epi64(v, 0) ^ _mm256_extract_epi64(v, 1) ^
                                      _mm256_extract_epi64(v, 2) ^ _mm256_extract_epi64(v, 3));
  }
};

struct Fp32 {
  using Sum = __m256;
  using Input = __m256;
  FARTHING_SIMD Input start() { return _mm256_set1_ps(0.5f); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) { return _mm256_fmadd_ps(x, x, sum); }
  FARTHING_SIMD float first(Sum sum) { return _mm256_cvtss_f32(sum); }
};

struct Integers {
  using Sum = __m256i;
  using Input = __m256i;
  FARTHING_SIMD Input start() { return _mm256_set1_epi8(3); }
  FARTHING_SIMD int first(Sum sum) { return _mm256_extract_epi32(sum, 0); }
};

struct Int16 : Integers {
  FARTHING_SIMD Input start() { return _mm256_set1_epi16(3); }
  FARTHING_SIMD Sum add_product(Sum sum, Input x) {
    forget(x);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, x));
  }
};

// Any bytes whose two products fit 16 bits together: widened at once.
struct Int8Widened : Integers {
  FARTHING_SIMD Sum add_product(Sum sum, Input x) {
    forget(x);
    const __m256i words = _mm256_maddubs_epi16(x, x);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
  }
};

// Bounded products, as of 4-bit codes: kCount vectors of them are summed in 16 bits first.
template <int kCount>
struct Int8Summed : Integers {
  FARTHING_SIMD Sum add_product(Sum sum, Input x) {
    __m256i words[kCount];
#pragma GCC unroll 8
    for (__m256i& w : words) {
      forget(x);
      w = _mm256_maddubs_epi16(x, x);
    }
#pragma GCC unroll 8
    for (int step = 1; step < kCount; step *= 2)
#pragma GCC unroll 8
      for (int i = 0; i + step < kCount; i += 2 * step)
        words[i] = _mm256_add_epi16(words[i], words[i + step]);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(words[0], _mm256_set1_epi16(1)));
  }
};

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kFp32, "vfmadd", 12 * 16, multiply_add<Fp32, 12>},
    {Arithmetic::kInt16, "vpmaddwd, vpaddd", 8 * 32, multiply_add<Int16, 8>},
    {Arithmetic::kInt8, "vpmaddubsw, vpmaddwd, vpaddd", 8 * 64, multiply_add<Int8Widened, 8>},
    {Arithmetic::kInt8, "4 vpmaddubsw summed in 16 bits, vpmaddwd", 4 * 4 * 64,
     multiply_add<Int8Summed<4>, 4>},
    {Arithmetic::kInt8, "8 vpmaddubsw summed in 16 bits, vpmaddwd", 4 * 8 * 64,
     multiply_add<Int8Summed<8>, 4>},
};

}  // namespace

RoofSet roofs_avx2() { return {Isa::kAvx2, kReads<Bytes>, kPeaks}; }

}  // namespace farthing::bench
