// The integer kernel, once for every way Dot of multiplying (simd/int_*.h) and every Unpack of the
// codes.
#pragma once

#include "kernels/code_tiles/few_body.h"
#include "kernels/code_tiles/unpack.h"
#include "kernels/linear_store.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

// A panel of T tokens on its way through the units.
struct PanelCursor {
  const std::int32_t* codes;
  const float* scales;
  const std::int32_t* folds;
  const float* sums;
};

template <class Dot, int R, int T>
FARTHING_SIMD void flush(typename Dot::Partial (&sums)[T][R]) {
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) Dot::flush(sums[t][r]);
  }
}

// Adds the products of some blocks of codes to the partial sums; moves the codes on both sides past
// them. Whoever calls flushes unless a block needs it more often than at its end.
template <class Dot, class Unpack, int R, int T>
FARTHING_SIMD void add_products(const CodeTiles& codes, std::int64_t blocks, const std::byte** w,
                                const std::int32_t*& x, typename Dot::Partial (&sums)[T][R]) {
  using S = typename Dot::Isa;
  for (std::int64_t block = 0; block < blocks; ++block) {
    FARTHING_UNROLL
    for (int c = 0; c < Unpack::kChunks; ++c, x += Dot::kDwords * T) {
      typename S::B b[R];
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) b[r] = Unpack::template chunk<S>(w[r], codes, c);
      FARTHING_UNROLL
      for (int t = 0; t < T; ++t) {
        const auto input = Dot::input(x + t, T);
        FARTHING_UNROLL
        for (int r = 0; r < R; ++r) sums[t][r] = Dot::dot(sums[t][r], b[r], input);
      }
      if constexpr (Dot::kFlush != 0 && Dot::kFlush < Unpack::kChunks)
        if ((c + 1) % Dot::kFlush == 0) flush<Dot, R, T>(sums);
    }
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < Unpack::kVectors; ++v, w[r] += 64) S::Float::prefetch(w[r] + kAhead);
  }
}

// Partial sums whose finish() is the exact sum of (code - bias) * x over one unit.
template <class Dot, class Unpack, int R, int T>
FARTHING_SIMD void multiply_unit(const CodeTiles& codes, const std::byte** w, PanelCursor& x,
                                 typename Dot::Partial (&sums)[T][R]) {
  using S = typename Dot::Isa;
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) sums[t][r] = Dot::start(S::set(x.folds[t]));
  }
  const std::int64_t blocks = codes.unit_vectors / Unpack::kVectors;
  if constexpr (Dot::kFlush < Unpack::kChunks) {  // never, or within a block
    static_assert(Dot::kFlush == 0 || Unpack::kChunks % Dot::kFlush == 0);
    add_products<Dot, Unpack, R, T>(codes, blocks, w, x.codes, sums);
  } else {
    constexpr int kBlocks = Dot::kFlush / Unpack::kChunks;
    for (std::int64_t left = blocks; left > 0; left -= kBlocks) {
      add_products<Dot, Unpack, R, T>(codes, left < kBlocks ? left : kBlocks, w, x.codes, sums);
      flush<Dot, R, T>(sums);
    }
  }
}

// sums[t][r][16] = the outputs of R whole tiles for T tokens. A function of its own, whose loops
// are unrolled: all sums stay in registers, or g++ 12 keeps them in memory.
template <class Dot, class Unpack, int R, int T>
[[gnu::noinline]] inline void multiply_tiles(const CodeTiles& codes, const std::byte* const* tiles,
                                             PanelCursor x, float* sums) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  const std::byte* w[R];
  typename F::F total[T][R];
  FARTHING_UNROLL
  for (int r = 0; r < R; ++r) {
    w[r] = tiles[r];
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) total[t][r] = F::zero();
  }
  for (std::int64_t g = 0; g < codes.groups; ++g) {
    const std::byte* scales[R];
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) scales[r] = w[r] + codes.code_bytes;
    for (std::int64_t u = 0; u < codes.units; ++u) {
      typename Dot::Partial partial[T][R];
      multiply_unit<Dot, Unpack, R, T>(codes, w, x, partial);
      typename F::F scale[R];
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) scale[r] = load_scales<F>(codes, scales[r], u);
      FARTHING_UNROLL
      for (int t = 0; t < T; ++t) {
        const auto x_scale = F::set(x.scales[t]);
        FARTHING_UNROLL
        for (int r = 0; r < R; ++r)
          total[t][r] = F::fma(S::to_float(Dot::finish(partial[t][r])), F::mul(scale[r], x_scale),
                               total[t][r]);
      }
      if (codes.offsets != OffsetForm::kNone) {
        FARTHING_UNROLL
        for (int r = 0; r < R; ++r) {
          const auto offset = load_offsets<F>(codes, scales[r], u, scale[r]);
          FARTHING_UNROLL
          for (int t = 0; t < T; ++t)
            total[t][r] =
                F::fma(F::mul(offset, F::set(x.scales[t])), F::set(x.sums[t]), total[t][r]);
        }
      }
      x.scales += T;
      x.folds += T;
      x.sums += T;
    }
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) w[r] += codes.group_bytes - codes.code_bytes;
  }
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) F::store(sums + (t * R + r) * kTileRows, total[t][r]);
  }
}

// The same for a number of tokens known only now, 1 .. T.
template <class Dot, class Unpack, int R, int T>
inline void multiply_tiles_of(int tokens, const CodeTiles& codes, const std::byte* const* tiles,
                              const PanelCursor& x, float* sums) {
  if (tokens == T)
    multiply_tiles<Dot, Unpack, R, T>(codes, tiles, x, sums);
  else if constexpr (T > 1)
    multiply_tiles_of<Dot, Unpack, R, T - 1>(tokens, codes, tiles, x, sums);
}

inline constexpr std::int64_t kStripeBytes = 1 << 18;  // inputs that stay in the cache

// Stripes of tokens whose inputs stay in the cache, over groups of R tiles.
template <class Dot, class Unpack, int R, int T>
inline void run_tiles(const LinearSlice& slice) {
  using F = typename Dot::Isa::Float;
  const CodeTiles& codes = *slice.codes;
  const std::int64_t units = codes.groups * codes.units;
  const std::int64_t dwords = units * (codes.unit_padded / 4) * Dot::kDwords;  // of one token
  const std::int64_t panel = panel_width(slice.tokens, T);
  std::int64_t stripe = kStripeBytes / (4 * panel * dwords) * panel;
  if (stripe < panel) stripe = panel;
  for (std::int64_t begin = 0; begin < slice.tokens; begin += stripe) {
    const std::int64_t end = begin + stripe < slice.tokens ? begin + stripe : slice.tokens;
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
      const std::byte* tiles[R];
      tile_pointers<R>(slice, tile, tiles);
      for (std::int64_t token = begin; token < end; token += panel) {
        const int width = static_cast<int>(end - token < panel ? end - token : panel);
        const PanelCursor x = {slice.x_codes + token * dwords, slice.x_scales + token * units,
                               slice.x_folds + token * units, slice.x_sums + token * units};
        alignas(64) float sums[T * R * kTileRows];
        prefetch_outputs(slice, tile, R, token, width);
        multiply_tiles_of<Dot, Unpack, R, T>(width, codes, tiles, x, sums);
        store_tiles<F>(slice, tile, R, token, width, sums);
      }
    }
  }
}

template <class Dot, class Unpack, int R, int T>
inline void run(const LinearSlice& slice) {
  if (slice.tokens <= T) return run_few_of<Dot, Unpack, T>(slice);
  run_tiles<Dot, Unpack, R, T>(slice);
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
