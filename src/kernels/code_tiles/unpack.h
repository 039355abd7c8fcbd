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

// The 16 factored numbers of a unit; p: those of its group.
template <class F>
FARTHING_SIMD auto load_factored(const CodeTiles& codes, const std::byte* p, std::int64_t unit) {
  return F::mul(F::load_f16(p + codes.units * kTileRows), F::load_i8(p + unit * kTileRows));
}
// The 16 scales of a unit; p: behind its group's codes.
template <class F>
FARTHING_SIMD auto load_scales(const CodeTiles& codes, const std::byte* p, std::int64_t unit) {
  if (codes.scales == ScaleForm::kF16) return F::load_f16(p);
  if (codes.scales == ScaleForm::kF32) return F::load(reinterpret_cast<const float*>(p));
  return load_factored<F>(codes, p, unit);
}
// The 16 offsets, where there are any; p as before.
template <class F>
FARTHING_SIMD auto load_offsets(const CodeTiles& codes, const std::byte* p, std::int64_t unit,
                                const typename F::F& scale) {
  p += codes.scales_bytes();
  if (codes.offsets == OffsetForm::kI8) return F::mul(scale, F::load_i8(p));
  if (codes.offsets == OffsetForm::kF16) return F::load_f16(p);
  if (codes.offsets == OffsetForm::kF32) return F::load(reinterpret_cast<const float*>(p));
  return load_factored<F>(codes, p, unit);
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
