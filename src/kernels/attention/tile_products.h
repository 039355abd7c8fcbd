// The two small matrix products of attention over one page, and its conversion to floats. Every
// result is one chain of fused multiply-adds, over features or over positions in ascending order,
// so the shape of the blocks that registers hold changes nothing.
#pragma once

#include "kernels/attention/page_numbers.h"
#include "kernels/attention/tile_kernels.h"

namespace farthing::kernels {

template <class S, class Numbers>
struct TileProducts {
  using F = typename S::F;

  // scores (kRows, kPages * kPageTokens in rows of kChunkTokens) = q (kRows, dim) . keys
  template <int kRows, int kPages>
  FARTHING_SIMD void scores(const std::byte* const* blocks, int dim, const float* q,
                            float* scores_out) {
    F sums[kRows][2 * kPages];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * kPages; ++v) sums[r][v] = S::zero();
    int d = 0;
    for (; d + 2 <= dim; d += 2) {
      one_feature<kRows, kPages, false>(blocks, d, dim, q, sums);
      one_feature<kRows, kPages, true>(blocks, d + 1, dim, q, sums);
    }
    if (d < dim) one_feature<kRows, kPages, false>(blocks, d, dim, q, sums);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * kPages; ++v)
        S::store(scores_out + r * kChunkTokens + v * 16, sums[r][v]);
  }

  // mix (kRows, padded_dim), vectors first .. first + kVectors - 1, += weights (kRows, positions
  // from .. to - 1, in rows of kChunkTokens) . values
  template <int kRows, int kVectors>
  FARTHING_SIMD void mix(const std::byte* values, std::size_t stride, int from, int to,
                         const float* weights, int first, int padded_dim, float* mix_out) {
    F sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = S::load(mix_out + r * padded_dim + (first + v) * 16);
    for (int p = from; p < to; ++p) {
      const std::byte* row = values + static_cast<std::size_t>(p) * stride;
      F numbers[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) numbers[v] = Numbers::values(row, first + v);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const F weight = S::set(weights[r * kChunkTokens + p]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][v] = S::fma(weight, numbers[v], sums[r][v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        S::store(mix_out + r * padded_dim + (first + v) * 16, sums[r][v]);
  }

  // The page's keys or values as floats, scales not applied, in the same order.
  static void convert_keys(const std::byte* block, int dim, float* out) {
    int d = 0;
    for (; d + 2 <= dim; d += 2) {
      convert_feature<false>(block, d, out);
      convert_feature<true>(block, d + 1, out);
    }
    if (d < dim) convert_feature<false>(block, d, out);
  }
  static void convert_values(const std::byte* values, std::size_t stride, int from, int to,
                             int padded_dim, float* out) {
    for (int p = from; p < to; ++p)
      for (int v = 0; v < padded_dim / 16; ++v)
        S::store(out + p * padded_dim + v * 16,
                 Numbers::values(values + static_cast<std::size_t>(p) * stride, v));
  }

 private:
  template <int kRows, int kPages, bool kOdd>
  FARTHING_SIMD void one_feature(const std::byte* const* blocks, int d, int dim, const float* q,
                                 F (&sums)[kRows][2 * kPages]) {
    F numbers[2 * kPages];
#pragma GCC unroll 8
    for (int v = 0; v < 2 * kPages; ++v)
      numbers[v] = Numbers::template keys<kOdd>(blocks[v / 2], d, v % 2);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F query = S::set(q[r * dim + d]);
#pragma GCC unroll 8
      for (int v = 0; v < 2 * kPages; ++v) sums[r][v] = S::fma(query, numbers[v], sums[r][v]);
    }
  }
  template <bool kOdd>
  FARTHING_SIMD void convert_feature(const std::byte* block, int d, float* out) {
    S::store(out + d * kPageTokens, Numbers::template keys<kOdd>(block, d, 0));
    S::store(out + d * kPageTokens + 16, Numbers::template keys<kOdd>(block, d, 1));
  }
};

}  // namespace farthing::kernels
