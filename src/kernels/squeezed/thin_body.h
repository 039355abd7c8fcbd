// One token times squeezed BF16 tiles, expanded in registers: what decoding does. The same numbers
// in the same order as float_tiles/body.h.
//   V::Float: the vectors of 16 floats; V::words(mask, values, two): the weights of two inputs
#pragma once

#include "kernels/float_tiles/float_tiles.h"
#include "kernels/linear_store.h"
#include "kernels/squeezed/body.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

inline constexpr int kSqueezedAhead = 6144;  // bytes that are on their way from memory

// R tiles at once: each sum is a chain of dependent additions, and R of them hide their latency.
template <class V, int R>
inline void run_thin(const SqueezedTiles& s, const LinearSlice& slice) {
  using S = typename V::Float;
  using F = typename S::F;
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += R) {
    const std::byte *last[R], *values[R];
    tile_pointers<R>(slice, tile, last);  // of an odd number of inputs, dense
    for (int r = 0; r < R; ++r) values[r] = last[r] + s.raw_bytes;
    alignas(64) float sums[R * kTileRows] = {};
    std::int64_t vectors = s.vectors;
    for (std::int64_t k = 0; k < slice.in; k += float_tiles::kBlockInputs, vectors -= s.run) {
      const std::int64_t left = slice.in - k;
      const std::int64_t count =
          left < float_tiles::kBlockInputs ? left : float_tiles::kBlockInputs;
      const std::byte* masks[R];
      F sum[R], two[2];
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) {
        masks[r] = values[r];
        values[r] += 4 * (vectors < s.run ? vectors : s.run);
        sum[r] = S::zero();
      }
      const float* x = slice.x + k;
      for (std::int64_t i = 0; i + 2 <= count; i += 2) {
        FARTHING_UNROLL
        for (int r = 0; r < R; ++r) {
          const auto mask = mask_at<std::uint32_t>(masks[r] + 2 * i);
          V::words(mask, values[r], two);
          values[r] += 2 * __builtin_popcount(mask);
          S::prefetch(values[r] + kSqueezedAhead / R);
          sum[r] = S::fma(two[1], S::set(x[i + 1]), S::fma(two[0], S::set(x[i]), sum[r]));
        }
      }
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) {
        if (count % 2 != 0) {  // alone in the raw bytes, or beside zeros that fill up a vector
          if (s.raw_bytes == 0)
            V::words(mask_at<std::uint32_t>(masks[r] + 2 * count - 2), values[r], two);
          sum[r] = S::fma(s.raw_bytes == 0 ? two[0] : S::load_bf16(last[r]), S::set(x[count - 1]),
                          sum[r]);
        }
        S::store(sums + r * kTileRows, S::add(S::load(sums + r * kTileRows), sum[r]));
      }
    }
    store_tiles<S>(slice, tile, R, 0, 1, sums);
  }
}

}  // namespace
}  // namespace farthing::kernels
