// Reading tiles of codes (linear_slice.h).
#pragma once

#include "kernels/code_tiles/code_tiles.h"
#include "simd/inline.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

// A block of codes: kVectors times 64 bytes, with kChunks times the codes of four inputs. The low
// bits of all come first, then the high ones (CodePlanes, linear_slice.h).
template <int kLow, int kHigh, int kInputs>
struct Codes {
  static constexpr int kBits = kLow + kHigh;
  static constexpr int kVectors = kBits * kInputs / 32, kChunks = kInputs / 4;
  template <class S>
  FARTHING_SIMD typename S::B chunk(const std::byte* p, const CodeTiles&, int c) {
    if constexpr (kLow == 8) return S::load(p);
    constexpr int kLowChunks = 8 / kLow;  // of a vector
    const auto low = S::bits(S::load(p + c / kLowChunks * 64), c % kLowChunks * kLow, mask(kLow));
    if constexpr (kHigh == 0) {
      return low;
    } else {
      constexpr int kHighChunks = 8 / kHigh;
      p += kLow * kInputs / 32 * 64;
      return S::join(low, S::bits(S::load(p + c / kHighChunks * 64), c % kHighChunks * kHigh - kLow,
                                  mask(kHigh) << kLow));
    }
  }

 private:
  static constexpr int mask(int bits) { return (1 << bits) - 1; }
};
using U2 = Codes<2, 0, 16>;
using U3 = Codes<2, 1, 32>;
using U4 = Codes<4, 0, 8>;
using U5 = Codes<4, 1, 32>;
using U6 = Codes<4, 2, 16>;
using U8 = Codes<8, 0, 4>;
struct Levels : U4 {
  template <class S>
  FARTHING_SIMD typename S::B chunk(const std::byte* p, const CodeTiles& codes, int c) {
    return S::look_up(S::load_table(codes.level_bytes), U4::chunk<S>(p, codes, c));
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
