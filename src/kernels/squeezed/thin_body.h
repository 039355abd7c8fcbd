// One token times squeezed BF16 tiles, expanded in registers: what decoding does. The same numbers
// in the same order as float_tiles/body.h.
//   V::Float: the vectors of 16 floats; V::words(mask, values, two): the weights of two inputs
#pragma once

#include "kernels/float_tiles/float_tiles.h"
#include "kernels/linear_store.h"
#include "kernels/squeezed/body.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

inline constexpr int kSqueezedAhead = 1024;  // bytes that are on their way from memory

template <class V>
inline void run_thin(const SqueezedTiles& s, const LinearSlice& slice) {
  using S = typename V::Float;
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile) {
    const std::byte* masks = slice.tiles + tile * slice.tile_bytes;
    const std::byte* last = masks + 4 * s.vectors;  // of an odd number of inputs, dense
    const std::byte* values = last + s.raw_bytes;
    alignas(64) float sums[kTileRows];
    S::store(sums, S::zero());
    for (std::int64_t k = 0; k < slice.in; k += float_tiles::kBlockInputs) {
      const std::int64_t left = slice.in - k;
      const std::int64_t count =
          left < float_tiles::kBlockInputs ? left : float_tiles::kBlockInputs;
      auto sum = S::zero();
      const float* x = slice.x + k;
      for (std::int64_t i = 0; i + 2 <= count; i += 2, masks += 4) {
        const auto mask = mask_at<std::uint32_t>(masks);
        typename S::F two[2];
        V::words(mask, values, two);
        values += 2 * __builtin_popcount(mask);
        S::prefetch(values + kSqueezedAhead);
        sum = S::fma(two[0], S::set(x[i]), sum);
        sum = S::fma(two[1], S::set(x[i + 1]), sum);
      }
      if (count % 2 != 0) {  // alone in the raw bytes, or beside zeros that fill up a vector
        typename S::F two[2];
        if (s.raw_bytes == 0) V::words(mask_at<std::uint32_t>(masks), values, two);
        sum = S::fma(s.raw_bytes == 0 ? two[0] : S::load_bf16(last), S::set(x[count - 1]), sum);
      }
      S::store(sums, S::add(S::load(sums), sum));
    }
    store_tile<S>(slice, tile, 0, sums);
  }
}

}  // namespace
}  // namespace farthing::kernels
