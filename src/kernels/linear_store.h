// Both ends of every linear kernel: where its tiles begin, and how their sums become outputs.
#pragma once

#include "kernels/linear_slice.h"

namespace farthing::kernels {
// Internal linkage: the files of several instruction sets include this, and the linker must not
// pick one's function for another.
namespace {

// R tiles from `tile` on; past the last one that one again, whose sums nobody stores.
template <int R>
inline void tile_pointers(const LinearSlice& slice, std::int64_t tile, const std::byte** tiles) {
  for (int r = 0; r < R; ++r) {
    const std::int64_t at = tile + r < slice.end_tile ? tile + r : slice.end_tile - 1;
    tiles[r] = slice.tiles + at * slice.tile_bytes;
  }
}

// Where a tile's outputs of a token begin.
inline float* outputs(const LinearSlice& slice, std::int64_t tile, std::int64_t token) {
  return slice.y + token * slice.y_stride + (tile * kTileRows - slice.first_row);
}

// y = scale * (sum + bias), or y += that: three roundings in this order on every path.
template <class S>
inline void store_tile(const LinearSlice& slice, std::int64_t tile, std::int64_t token,
                       const float* sums) {
  const std::int64_t row = tile * kTileRows;
  float* y = outputs(slice, tile, token);
  const float* bias = slice.bias == nullptr ? nullptr : slice.bias + row;
  if (row + kTileRows <= slice.end_row) {
    auto value = S::load(sums);
    if (bias != nullptr) value = S::add(value, S::load(bias));
    value = S::mul(value, S::set(slice.scale));
    S::store(y, slice.accumulate ? S::add(S::load(y), value) : value);
    return;
  }
  for (std::int64_t i = 0; row + i < slice.end_row; ++i) {
    const float value = (bias != nullptr ? sums[i] + bias[i] : sums[i]) * slice.scale;
    y[i] = slice.accumulate ? y[i] + value : value;
  }
}

// The same for several tiles and tokens, but for tiles past the last one. sums: (tokens, tiles, 16)
template <class S>
inline void store_tiles(const LinearSlice& slice, std::int64_t tile, int tiles, std::int64_t token,
                        std::int64_t tokens, const float* sums) {
  for (std::int64_t t = 0; t < tokens; ++t)
    for (int r = 0; r < tiles && tile + r < slice.end_tile; ++r)
      store_tile<S>(slice, tile + r, token + t, sums + (t * tiles + r) * kTileRows);
}

// Asks for the places of these outputs before they are computed. A token's lie a whole row after
// the last token's, where no processor looks ahead, and stores that wait for memory hold up the
// sums of the next tokens.
inline void prefetch_outputs(const LinearSlice& slice, std::int64_t tile, int tiles,
                             std::int64_t token, std::int64_t tokens) {
  for (std::int64_t t = 0; t < tokens; ++t)
    for (int r = 0; r < tiles && tile + r < slice.end_tile; ++r)
      __builtin_prefetch(outputs(slice, tile + r, token + t), 1);
}

}  // namespace
}  // namespace farthing::kernels
