// Reading tiles of codes (linear_slice.h).
#pragma once

#include "kernels/code_tiles/code_tiles.h"
#include "simd/inline.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

// 64 bytes of a tile as kChunks times the codes of four inputs.
struct U8 {
  static constexpr int kChunks = 1;
  template <class S>
  FARTHING_SIMD void chunks(const std::byte* p, const CodeTiles&, typename S::B* b) {
    b[0] = S::load(p);
  }
};
struct U4 {
  static constexpr int kChunks = 2;
  template <class S>
  FARTHING_SIMD void chunks(const std::byte* p, const CodeTiles&, typename S::B* b) {
    const auto both = S::load(p);
    b[0] = S::low_nibbles(both);
    b[1] = S::high_nibbles(both);
  }
};

FARTHING_SIMD std::int64_t scales_bytes(const CodeTiles& codes) {
  return kTileRows * (codes.scales_are_f16 ? 2 : 4);
}
// The 16 scales behind a group's codes.
template <class F>
FARTHING_SIMD auto load_scales(const CodeTiles& codes, const std::byte* p) {
  return codes.scales_are_f16 ? F::load_f16(p) : F::load(reinterpret_cast<const float*>(p));
}
// The 16 offsets behind those, where there are any.
template <class F>
FARTHING_SIMD auto load_offsets(const CodeTiles& codes, const std::byte* p,
                                const typename F::F& scale) {
  if (codes.offsets == OffsetForm::kI8) return F::mul(scale, F::load_i8(p));
  if (codes.offsets == OffsetForm::kF16) return F::load_f16(p);
  return F::load(reinterpret_cast<const float*>(p));
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
