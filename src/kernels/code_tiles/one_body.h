// The integer kernel for one token, whose time is that of reading the weights: each thread reads
// one stream, and the sums of a unit run in chains of their own so that none waits for the last
// product. The same numbers in the same order as body.h: int32 sums do not mind their order.
#pragma once

#include "kernels/code_tiles/unpack.h"
#include "kernels/linear_store.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

inline constexpr int kChains = 4;          // of products that do not wait for each other
inline constexpr int kStep = 4;            // of codes between two jumps
inline constexpr int kStreamAhead = 8192;  // bytes of the stream that are on their way

template <class Dot, class Unpack, int kCount>
FARTHING_SIMD void add_blocks(const CodeTiles& codes, const std::byte*& w, const std::int32_t*& x,
                              typename Dot::Partial (&sums)[kChains]) {
  using S = typename Dot::Isa;
  FARTHING_UNROLL
  for (int c = 0; c < kCount * Unpack::kChunks; ++c) {
    const std::byte* block = w + c / Unpack::kChunks * Unpack::kVectors * 64;
    sums[c % kChains] =
        Dot::dot(sums[c % kChains], Unpack::template chunk<S>(block, codes, c % Unpack::kChunks),
                 Dot::input(x + c * Dot::kDwords, 1));
  }
  FARTHING_UNROLL
  for (int v = 0; v < kCount * Unpack::kVectors; ++v)
    S::Float::prefetch_once(w + v * 64 + kStreamAhead);
  w += kCount * Unpack::kVectors * 64;
  x += kCount * Unpack::kChunks * Dot::kDwords;
}

// The exact sum of (code - bias) * x over one unit.
template <class Dot, class Unpack>
FARTHING_SIMD auto multiply_one_unit(const CodeTiles& codes, const std::byte*& w,
                                     const std::int32_t*& x, std::int32_t fold) {
  using S = typename Dot::Isa;
  typename Dot::Partial sums[kChains];
  FARTHING_UNROLL
  for (int c = 0; c < kChains; ++c) sums[c] = Dot::start(c == 0 ? S::set(fold) : S::zero());
  std::int64_t left = codes.unit_vectors / Unpack::kVectors;
  for (; left >= kStep; left -= kStep) add_blocks<Dot, Unpack, kStep>(codes, w, x, sums);
  for (; left > 0; --left) add_blocks<Dot, Unpack, 1>(codes, w, x, sums);
  auto sum = Dot::finish(sums[0]);
  FARTHING_UNROLL
  for (int c = 1; c < kChains; ++c) sum = S::add(sum, Dot::finish(sums[c]));
  return sum;
}

template <class Dot, class Unpack>
inline void run_one(const LinearSlice& slice) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  const CodeTiles& codes = *slice.codes;
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile) {
    const std::byte* w = slice.tiles + tile * slice.tile_bytes;
    const std::int32_t* x = slice.x_codes;
    auto sum = F::zero();
    for (std::int64_t g = 0, unit = 0; g < codes.groups; ++g) {
      const std::byte* scales = w + codes.code_bytes;
      for (std::int64_t u = 0; u < codes.units; ++u, ++unit) {
        const auto products = multiply_one_unit<Dot, Unpack>(codes, w, x, slice.x_folds[unit]);
        const auto scale = load_scales<F>(codes, scales, u);
        const auto x_scale = F::set(slice.x_scales[unit]);
        sum = F::fma(S::to_float(products), F::mul(scale, x_scale), sum);
        if (codes.offsets == OffsetForm::kNone) continue;
        const auto offset = load_offsets<F>(codes, scales, u, scale);
        sum = F::fma(F::mul(offset, x_scale), F::set(slice.x_sums[unit]), sum);
      }
      w += codes.group_bytes - codes.code_bytes;
    }
    alignas(64) float sums[kTileRows];
    F::store(sums, sum);
    store_tile<F>(slice, tile, 0, sums);
  }
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
