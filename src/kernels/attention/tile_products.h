// The two small matrix products of attention over pages, and their conversion to floats. Every
// result is one chain of fused multiply-adds, over features or over positions in ascending order,
// so the shape of the blocks that registers hold changes nothing.
#pragma once

#include "kernels/attention/page_numbers.h"
#include "kernels/attention/tile_kernels.h"

namespace farthing::kernels {

// Positions from .. to - 1 of a stretch whose values lie at `values`; those at `ahead`, a stretch
// of the same size, will be needed soon.
struct ValueStretch {
  const std::byte *values, *ahead;
  int from, to;
  const float* weights;  // of position 0 of the stretch
};

template <class S, class Numbers>
struct TileProducts {
  using F = typename S::F;
  using Pointer = const std::byte*;

  // scores (kRows, kPages * kPageTokens in rows of kChunkTokens) = q (kRows, dim) . keys. What
  // lies at `ahead` (kPages blocks of the same size) will be needed soon.
  template <int kRows, int kPages>
  FARTHING_SIMD void scores(const Pointer* blocks, const Pointer* ahead, int dim, const float* q,
                            float* scores_out) {
    F sums[kRows][2 * kPages];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * kPages; ++v) sums[r][v] = S::zero();
    int d = 0;
    for (; d + 2 <= dim; d += 2) {
      one_feature<kRows, kPages, false>(blocks, ahead, d, dim, q, sums);
      one_feature<kRows, kPages, true>(blocks, ahead, d + 1, dim, q, sums);
    }
    if (d < dim) one_feature<kRows, kPages, false>(blocks, ahead, d, dim, q, sums);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * kPages; ++v)
        S::store(scores_out + r * kChunkTokens + v * 16, sums[r][v]);
  }

  template <int kRows, int kVectors>
  struct Mix {  // mix (kRows, padded_dim), kVectors vectors from `first` on: the sums so far
    F sums[kRows][kVectors];
    [[gnu::always_inline]] inline void clear() {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][v] = S::zero();
    }
    // += weights (kRows, positions in rows of kChunkTokens) . values
    [[gnu::always_inline]] inline void add(const ValueStretch& s, std::size_t stride, int first) {
      constexpr int kStep = Numbers::kVectorBytes >= 64 ? 1 : 64 / Numbers::kVectorBytes;
      for (int p = s.from; p < s.to; ++p) {
        const std::size_t offset = static_cast<std::size_t>(p) * stride;
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const F numbers = Numbers::values(s.values + offset, first + v);
          if (Numbers::kFar && v % kStep == 0)
            S::prefetch(Numbers::value_place(s.ahead + offset, first + v));
          const float* const weights = reload(s.weights);
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r)
            sums[r][v] = S::fma(S::set(weights[r * kChunkTokens + p]), numbers, sums[r][v]);
        }
      }
    }
    [[gnu::always_inline]] inline void store(float* mix, int first, int padded_dim) const {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          S::store(mix + r * padded_dim + (first + v) * 16, sums[r][v]);
    }
  };

  // The page's keys or values as floats, scales not applied, in the same order. What lies at
  // `ahead`, a stretch of the same size, will be needed soon.
  static void convert_keys(Pointer block, Pointer ahead, std::size_t bytes, int dim, float* out) {
    prefetch(ahead, bytes);
    int d = 0;
    for (; d + 2 <= dim; d += 2) {
      convert_feature<false>(block, d, out);
      convert_feature<true>(block, d + 1, out);
    }
    if (d < dim) convert_feature<false>(block, d, out);
  }
  static void convert_values(Pointer values, Pointer ahead, std::size_t stride, int from, int to,
                             int padded_dim, float* out) {
    prefetch(ahead, kPageTokens * stride);
    for (int p = from; p < to; ++p)
      for (int v = 0; v < padded_dim / 16; ++v)
        S::store(out + p * padded_dim + v * 16,
                 Numbers::values(values + static_cast<std::size_t>(p) * stride, v));
  }

 private:
  FARTHING_SIMD void prefetch(Pointer p, std::size_t bytes) {
    if constexpr (Numbers::kFar)
      for (std::size_t i = 0; i < bytes; i += 64) S::prefetch(p + i);
  }
  template <int kRows, int kPages, bool kOdd>
  FARTHING_SIMD void one_feature(const Pointer* blocks, const Pointer* ahead, int d, int dim,
                                 const float* q, F (&sums)[kRows][2 * kPages]) {
#pragma GCC unroll 8
    for (int v = 0; v < 2 * kPages; ++v) {
      const F numbers = Numbers::template keys<kOdd>(blocks[v / 2], d, v % 2);
      // A line a vector, a feature or two features.
      if (Numbers::kFar && (v % 2 == 0 || Numbers::kVectorBytes >= 64) &&
          (!kOdd || Numbers::kVectorBytes >= 32))
        S::prefetch(Numbers::key_place(ahead[v / 2], d, v % 2));
      const float* const queries = reload(q);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
        sums[r][v] = S::fma(S::set(queries[r * dim + d]), numbers, sums[r][v]);
    }
  }
  // The same pointer, of which the compiler does not know that: numbers that all rows multiply are
  // read again rather than kept in registers that the sums and what is converted need.
  FARTHING_SIMD const float* reload(const float* p) {
    if constexpr (Numbers::kFar) __asm__ volatile("" : "+r"(p));
    return p;
  }
  template <bool kOdd>
  FARTHING_SIMD void convert_feature(Pointer block, int d, float* out) {
    S::store(out + d * kPageTokens, Numbers::template keys<kOdd>(block, d, 0));
    S::store(out + d * kPageTokens + 16, Numbers::template keys<kOdd>(block, d, 1));
  }
};

}  // namespace farthing::kernels
