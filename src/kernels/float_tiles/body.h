// The float kernel, once for every instruction set S and element type W of the weights.
#pragma once

#include "kernels/float_tiles/float_tiles.h"
#include "kernels/linear_store.h"
#include "simd/inline.h"

namespace farthing::kernels::float_tiles {
namespace {  // internal linkage: see linear_store.h

// How weights are read. kDirect: load() gives those of one input of a tile, kTileBytes further on
// those of the next. widen() makes floats of `count` inputs from k on, in place or in the room.
struct F32 {
  static constexpr bool kDirect = true;
  static constexpr int kTileBytes = 4 * kTileRows;
  template <class S>
  static auto load(const std::byte* p) {
    return S::load(reinterpret_cast<const float*>(p));
  }
  static const std::byte* widen(const LinearSlice&, const std::byte* tile, std::int64_t k,
                                std::int64_t, float*) {
    return tile + k * kTileBytes;
  }
};
template <class S, bool kBf16>
struct Halves {
  static constexpr bool kDirect = true;
  static constexpr int kTileBytes = 2 * kTileRows;
  template <class>
  static auto load(const std::byte* p) {
    return kBf16 ? S::load_bf16(p) : S::load_f16(p);
  }
  static const std::byte* widen(const LinearSlice&, const std::byte* tile, std::int64_t k,
                                std::int64_t count, float* room) {
    for (std::int64_t i = 0; i < count; ++i)
      S::store(room + i * kTileRows, load<S>(tile + (k + i) * kTileBytes));
    return reinterpret_cast<const std::byte*>(room);
  }
};

// sums[t][r][16] += the partial sums of `count` inputs, for R tiles and T tokens.
template <class S, class W, int R, int T>
inline void multiply_block(const std::byte* const* tiles, const float* x, std::int64_t count,
                           float* sums) {
  typename S::F sum[T][R];
  const std::byte* w[R];
  FARTHING_UNROLL
  for (int r = 0; r < R; ++r) w[r] = tiles[r];
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) sum[t][r] = S::zero();
  }
  for (std::int64_t k = 0; k < count; ++k, x += T) {
    typename S::F weights[R];
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) weights[r] = W::template load<S>(w[r] + k * W::kTileBytes);
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) {
      const auto input = S::set(x[t]);
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) sum[t][r] = S::fma(weights[r], input, sum[t][r]);
    }
  }
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) {
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r, sums += kTileRows) S::store(sums, S::add(S::load(sums), sum[t][r]));
  }
}

// The same for a number of tokens known only now, 1 .. T.
template <class S, class W, int R, int T>
inline void multiply_block_of(int tokens, const std::byte* const* tiles, const float* x,
                              std::int64_t count, float* sums) {
  if (tokens == T)
    multiply_block<S, W, R, T>(tiles, x, count, sums);
  else if constexpr (T > 1)
    multiply_block_of<S, W, R, T - 1>(tokens, tiles, x, count, sums);
}

inline void clear(float* sums, int count) {
  for (int i = 0; i < count; ++i) sums[i] = 0.0f;
}

// One panel of tokens: memory decides the time, so each tile is read once, from its beginning to
// its end, and widened on the way.
template <class S, class W, int R, int T>
inline void run_thin(const LinearSlice& slice) {
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
    const std::byte* tiles[R];
    tile_pointers<R>(slice, tile, tiles);
    alignas(64) float sums[T * R * kTileRows];
    clear(sums, T * R * kTileRows);
    for (std::int64_t k = 0; k < slice.in; k += kBlockInputs) {
      const std::int64_t count = slice.in - k < kBlockInputs ? slice.in - k : kBlockInputs;
      multiply_block<S, W, R, T>(tiles, slice.x + k * T, count, sums);
      for (int r = 0; r < R; ++r) tiles[r] += count * W::kTileBytes;
    }
    store_tiles<S>(slice, tile, R, 0, T, sums);
  }
}

// The same for codes, which become floats in registers; a last block that cuts one of codes goes by
// way of memory.
template <class S, class W, int R, int T>
inline void run_thin_codes(const LinearSlice& slice) {
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
    const std::byte* tiles[R];
    tile_pointers<R>(slice, tile, tiles);
    alignas(64) float sums[T * R * kTileRows];
    clear(sums, T * R * kTileRows);
    for (std::int64_t k = 0; k < slice.in; k += kBlockInputs) {
      const std::int64_t count = slice.in - k < kBlockInputs ? slice.in - k : kBlockInputs;
      if (count % W::kInputs != 0) {
        alignas(64) float room[R][kBlockInputs * kTileRows];
        const std::byte* wide[R];
        for (int r = 0; r < R; ++r) wide[r] = W::widen(slice, tiles[r], k, count, room[r]);
        multiply_block<S, F32, R, T>(wide, slice.x + k * T, count, sums);
        continue;
      }
      typename S::F sum[T][R];
      FARTHING_UNROLL
      for (int i = 0; i < T * R; ++i) sum[i / R][i % R] = S::zero();
      W::template multiply<R, T>(*slice.codes, tiles, k, count, slice.x + k * T, sum);
      FARTHING_UNROLL
      for (int i = 0; i < T * R; ++i)
        S::store(sums + i * kTileRows, S::add(S::load(sums + i * kTileRows), sum[i / R][i % R]));
    }
    store_tiles<S>(slice, tile, R, 0, T, sums);
  }
}

template <class S, class W, int R, int T>
inline void run_few(const LinearSlice& slice) {
  if constexpr (W::kDirect)
    run_thin<S, W, R, T>(slice);
  else
    run_thin_codes<S, W, R, T>(slice);
}

// The same for a number of tokens known only now, 1 .. T.
template <class S, class W, int R, int T>
inline void run_few_of(const LinearSlice& slice) {
  if (slice.tokens == T)
    run_few<S, W, R, T>(slice);
  else if constexpr (T > 1)
    run_few_of<S, W, R, T - 1>(slice);
}

inline constexpr int kMaxStripe = 192;        // tokens that share one widening of the weights
inline constexpr int kStripeBytes = 1 << 20;  // inputs that stay in the second-level cache

// Many tokens: stripes of tokens whose inputs stay in the cache, over pairs of tiles, over blocks
// of inputs whose weights are widened once a stripe.
template <class S, class W, int R, int T>
inline void run_thick(const LinearSlice& slice) {
  const auto panel = static_cast<int>(panel_width(slice.tokens, T));
  std::int64_t panels =
      kStripeBytes / (static_cast<std::int64_t>(sizeof(float)) * panel * slice.in);
  if (panels > kMaxStripe / panel) panels = kMaxStripe / panel;
  if (panels < 1) panels = 1;
  alignas(64) float room[R][kBlockInputs * kTileRows];
  alignas(64) float sums[kMaxStripe * R * kTileRows];
  for (std::int64_t token = 0; token < slice.tokens; token += panels * panel) {
    const std::int64_t left = slice.tokens - token;
    const int stripe = static_cast<int>(left < panels * panel ? left : panels * panel);
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
      const std::byte* tiles[R];
      tile_pointers<R>(slice, tile, tiles);
      clear(sums, stripe * R * kTileRows);
      for (std::int64_t k = 0; k < slice.in; k += kBlockInputs) {
        const std::int64_t count = slice.in - k < kBlockInputs ? slice.in - k : kBlockInputs;
        const std::byte* wide[R];
        for (int r = 0; r < R; ++r) wide[r] = W::widen(slice, tiles[r], k, count, room[r]);
        for (int t = 0; t < stripe; t += panel) {
          const int width = stripe - t < panel ? stripe - t : panel;
          // With the last inputs: till then the first-level cache is theirs and the sums'.
          if (k + count == slice.in) prefetch_outputs(slice, tile, R, token + t, width);
          multiply_block_of<S, F32, R, T>(width, wide, slice.x + (token + t) * slice.in + k * width,
                                          count, sums + t * R * kTileRows);
        }
      }
      store_tiles<S>(slice, tile, R, token, stripe, sums);
    }
  }
}

template <class S, class W, Blocking kBlocking>
inline void run(const LinearSlice& slice) {
  constexpr int kTiles = kBlocking.thick_tiles, kTokens = kBlocking.thick_tokens;
  if (slice.tokens == 1) return run_few<S, W, kBlocking.thin_tiles, 1>(slice);
  if (slice.tokens <= kTokens) return run_few_of<S, W, kTiles, kTokens>(slice);
  run_thick<S, W, kTiles, kTokens>(slice);
}

}  // namespace
}  // namespace farthing::kernels::float_tiles
