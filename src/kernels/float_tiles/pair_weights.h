// Tiles of BF16 as pairs of inputs, for instruction sets that add two products at a time.
#pragma once

#include "kernels/float_tiles/body.h"

namespace farthing::kernels::float_tiles {
namespace {  // internal linkage: see linear_store.h

// An "input" is a pair; packing pads an odd number of inputs with weights of 0.
struct Pairs {
  static constexpr bool kDirect = true;
  static constexpr int kTileBytes = 4 * kTileRows;
  template <class S>
  static auto load(const std::byte* p) {
    return S::load_pairs(p);
  }
};
template <class S>
struct PairWeights : Pairs {
  static const std::byte* widen(const LinearSlice&, const std::byte* tile, std::int64_t k,
                                std::int64_t count, float* room) {
    for (std::int64_t i = 0; i < count; ++i)
      S::store(room + i * kTileRows, S::load_pairs(tile + (k + i) * kTileBytes));
    return reinterpret_cast<const std::byte*>(room);
  }
};

template <class S, Blocking kBlocking>
inline void run_pairs(LinearSlice slice) {
  slice.in = (slice.in + 1) / 2;
  run<S, PairWeights<S>, kBlocking>(slice);
}

}  // namespace
}  // namespace farthing::kernels::float_tiles
