// The integer kernel for one panel of tokens, whose time is that of reading the weights: each
// thread reads one stream and unpacks a code once, and the sums of a unit run in chains of their
// own so that none waits for the last product. The same numbers in the same order as body.h: int32
// sums do not mind their order.
#pragma once

#include "kernels/code_tiles/unpack.h"
#include "kernels/linear_store.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

inline constexpr int kStreamAhead = 8192;  // bytes of the stream that are on their way

// Chains of products of each of T tokens that do not wait for each other.
template <class Dot, int T>
constexpr int chain_count() {
  constexpr int kVectors = static_cast<int>(sizeof(typename Dot::Partial)) / 64;
  constexpr int kFitting = Dot::Isa::kSumVectors / (T * kVectors);
  return kFitting < 1 ? 1 : kFitting > 4 ? 4 : kFitting;
}

// Blocks of codes between two jumps.
constexpr int step_of(int tokens) { return tokens <= 2 ? 4 : tokens <= 4 ? 2 : 1; }

// sums[t][chain] += the products of kCount blocks of codes with the inputs of T tokens.
template <class Dot, class Unpack, int T, int C, int kCount>
FARTHING_SIMD void add_blocks(const CodeTiles& codes, const std::byte*& w, const std::int32_t*& x,
                              typename Dot::Partial (&sums)[T][C]) {
  using S = typename Dot::Isa;
  FARTHING_UNROLL
  for (int c = 0; c < kCount * Unpack::kChunks; ++c) {
    const std::byte* block = w + c / Unpack::kChunks * Unpack::kVectors * 64;
    const auto b = Unpack::template chunk<S>(block, codes, c % Unpack::kChunks);
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t)
      sums[t][c % C] = Dot::dot(sums[t][c % C], b, Dot::input(x + c * Dot::kDwords * T + t, T));
  }
  FARTHING_UNROLL
  for (int v = 0; v < kCount * Unpack::kVectors; ++v)
    S::Float::prefetch_once(w + v * 64 + kStreamAhead);
  w += kCount * Unpack::kVectors * 64;
  x += kCount * Unpack::kChunks * Dot::kDwords * T;
}

// sums[t] = the exact sum of (code - bias) * x over one unit.
template <class Dot, class Unpack, int T>
FARTHING_SIMD void multiply_few_unit(const CodeTiles& codes, const std::byte*& w,
                                     const std::int32_t*& x, const std::int32_t* folds,
                                     typename Dot::Isa::I (&sums)[T]) {
  using S = typename Dot::Isa;
  constexpr int kChains = chain_count<Dot, T>();
  typename Dot::Partial partial[T][kChains];
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int c = 0; c < kChains; ++c)
      partial[t][c] = Dot::start(c == 0 ? S::set(folds[t]) : S::zero());
  }
  std::int64_t left = codes.unit_vectors / Unpack::kVectors;
  constexpr int kStep = step_of(T);
  if constexpr (kStep > 1)
    for (; left >= kStep; left -= kStep)
      add_blocks<Dot, Unpack, T, kChains, kStep>(codes, w, x, partial);
  for (; left > 0; --left) add_blocks<Dot, Unpack, T, kChains, 1>(codes, w, x, partial);
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    sums[t] = Dot::finish(partial[t][0]);
    FARTHING_UNROLL
    for (int c = 1; c < kChains; ++c) sums[t] = S::add(sums[t], Dot::finish(partial[t][c]));
  }
}

// A function of its own, whose loops are unrolled: see multiply_tiles (body.h).
template <class Dot, class Unpack, int T>
[[gnu::noinline]] inline void run_few(const LinearSlice& slice) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  const CodeTiles& codes = *slice.codes;
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile) {
    const std::byte* w = slice.tiles + tile * slice.tile_bytes;
    const std::int32_t* x = slice.x_codes;
    if constexpr (T > 1) prefetch_outputs(slice, tile, 1, 0, T);
    typename F::F total[T];
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) total[t] = F::zero();
    for (std::int64_t g = 0, unit = 0; g < codes.groups; ++g) {
      const std::byte* scales = w + codes.code_bytes;
      for (std::int64_t u = 0; u < codes.units; ++u, unit += T) {
        typename S::I products[T];
        multiply_few_unit<Dot, Unpack, T>(codes, w, x, slice.x_folds + unit, products);
        const auto scale = load_scales<F>(codes, scales, u);
        FARTHING_UNROLL
        for (int t = 0; t < T; ++t)
          total[t] = F::fma(S::to_float(products[t]),
                            F::mul(scale, F::set(slice.x_scales[unit + t])), total[t]);
        if (codes.offsets == OffsetForm::kNone) continue;
        const auto offset = load_offsets<F>(codes, scales, u, scale);
        FARTHING_UNROLL
        for (int t = 0; t < T; ++t)
          total[t] = F::fma(F::mul(offset, F::set(slice.x_scales[unit + t])),
                            F::set(slice.x_sums[unit + t]), total[t]);
      }
      w += codes.group_bytes - codes.code_bytes;
    }
    alignas(64) float sums[T * kTileRows];
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) F::store(sums + t * kTileRows, total[t]);
    store_tiles<F>(slice, tile, 1, 0, T, sums);
  }
}

// The same for a number of tokens known only now, 1 .. T.
template <class Dot, class Unpack, int T>
inline void run_few_of(const LinearSlice& slice) {
  if (slice.tokens == T)
    run_few<Dot, Unpack, T>(slice);
  else if constexpr (T > 1)
    run_few_of<Dot, Unpack, T - 1>(slice);
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
