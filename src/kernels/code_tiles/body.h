// The integer kernel, once for every way Dot of multiplying (simd/int_*.h) and every Unpack of the
// codes.
#pragma once

#include "kernels/code_tiles/unpack.h"
#include "kernels/linear_store.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

struct Levels {
  static constexpr int kChunks = 2;
  template <class S>
  FARTHING_SIMD void chunks(const std::byte* p, const CodeTiles& codes, typename S::B* b) {
    U4::chunks<S>(p, codes, b);
    const auto table = S::load_table(codes.level_bytes);
    b[0] = S::look_up(table, b[0]);
    b[1] = S::look_up(table, b[1]);
  }
};

// A panel of T tokens on its way through the units.
struct PanelCursor {
  const std::int32_t* codes;
  const float* scales;
  const std::int32_t* sums;
};

// acc[t][r] = the products of one unit; moves the codes on both sides past it.
template <class Dot, class Unpack, int R, int T>
FARTHING_SIMD void multiply_unit(const CodeTiles& codes, const std::byte** w,
                                 const std::int32_t*& x, typename Dot::Isa::I (&acc)[T][R]) {
  using S = typename Dot::Isa;
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) acc[t][r] = S::zero();
  constexpr int kFlush = Dot::kFlush / Unpack::kChunks;
  for (std::int64_t left = codes.unit_vectors; left > 0; left -= kFlush) {
    const int vectors = static_cast<int>(left < kFlush ? left : kFlush);
    typename Dot::Partial partial[T][R];
    for (int t = 0; t < T; ++t)
      for (int r = 0; r < R; ++r) partial[t][r] = Dot::zero();
    for (int v = 0; v < vectors; ++v) {
      typename S::B b[R][Unpack::kChunks];
      for (int r = 0; r < R; ++r) {
        Unpack::template chunks<S>(w[r], codes, b[r]);
        w[r] += 64;
      }
      for (int c = 0; c < Unpack::kChunks; ++c, x += Dot::kDwords * T)
        for (int t = 0; t < T; ++t) {
          const auto input = Dot::input(x + t, T);
          for (int r = 0; r < R; ++r) partial[t][r] = Dot::dot(partial[t][r], b[r][c], input);
        }
    }
    for (int t = 0; t < T; ++t)
      for (int r = 0; r < R; ++r) acc[t][r] = S::add(acc[t][r], Dot::finish(partial[t][r]));
  }
}

// sums[t][r][16] = the outputs of R whole tiles for T tokens.
template <class Dot, class Unpack, int R, int T>
inline void multiply_tiles(const CodeTiles& codes, const std::byte* const* tiles, PanelCursor x,
                           float* sums) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  typename F::F sum[T][R];
  const std::byte* w[R];
  for (int r = 0; r < R; ++r) w[r] = tiles[r];
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) sum[t][r] = F::zero();
  for (std::int64_t g = 0; g < codes.groups; ++g) {
    typename F::F scale[R];
    const std::byte* offsets[R];
    for (int r = 0; r < R; ++r) {
      const std::byte* scales = w[r] + codes.code_bytes;
      scale[r] = load_scales<F>(codes, scales);
      offsets[r] = scales + scales_bytes(codes);
    }
    for (std::int64_t u = 0; u < codes.units; ++u, x.scales += T, x.sums += T) {
      typename S::I acc[T][R];
      multiply_unit<Dot, Unpack, R, T>(codes, w, x.codes, acc);
      for (int t = 0; t < T; ++t) {
        const auto x_scale = F::set(x.scales[t]);
        const auto fold = S::set(-codes.bias * x.sums[t]);
        for (int r = 0; r < R; ++r)
          sum[t][r] =
              F::fma(S::to_float(S::add(acc[t][r], fold)), F::mul(scale[r], x_scale), sum[t][r]);
      }
      if (codes.offsets == OffsetForm::kNone) continue;
      for (int r = 0; r < R; ++r) {
        const auto offset = load_offsets<F>(codes, offsets[r], scale[r]);
        for (int t = 0; t < T; ++t)
          sum[t][r] = F::fma(F::mul(offset, F::set(x.scales[t])),
                             F::set(static_cast<float>(x.sums[t])), sum[t][r]);
      }
    }
    for (int r = 0; r < R; ++r) w[r] += codes.group_bytes - codes.code_bytes;
  }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r, sums += kTileRows) F::store(sums, sum[t][r]);
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
  const std::int64_t dwords =  // of one token
      units * codes.unit_vectors * Unpack::kChunks * Dot::kDwords;
  std::int64_t stripe = kStripeBytes / (4 * T * dwords) * T;
  if (stripe < T) stripe = T;
  for (std::int64_t begin = 0; begin < slice.tokens; begin += stripe) {
    const std::int64_t end = begin + stripe < slice.tokens ? begin + stripe : slice.tokens;
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
      const std::byte* tiles[R];  // past the last tile that one again, whose sums nobody stores
      for (int r = 0; r < R; ++r)
        tiles[r] = slice.tiles +
                   (tile + r < slice.end_tile ? tile + r : slice.end_tile - 1) * slice.tile_bytes;
      for (std::int64_t token = begin; token < end; token += T) {
        const int width = static_cast<int>(end - token < T ? end - token : T);
        const PanelCursor x = {slice.x_codes + token * dwords, slice.x_scales + token * units,
                               slice.x_sums + token * units};
        alignas(64) float sums[T * R * kTileRows];
        multiply_tiles_of<Dot, Unpack, R, T>(width, codes, tiles, x, sums);
        for (int t = 0; t < width; ++t)
          for (int r = 0; r < R && tile + r < slice.end_tile; ++r)
            store_tile<F>(slice, tile + r, token + t, sums + (t * R + r) * kTileRows);
      }
    }
  }
}

// One token reads one stream, each tile from its beginning to its end.
template <class Dot, class Unpack, int R, int T>
inline void run(const LinearSlice& slice) {
  if (slice.tokens == 1) return run_tiles<Dot, Unpack, 1, 1>(slice);
  run_tiles<Dot, Unpack, R, T>(slice);
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
