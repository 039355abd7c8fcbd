// Tiles of codes as the floats they stand for, for float inputs.
#pragma once

#include "kernels/code_tiles/unpack.h"

namespace farthing::kernels::float_tiles {
namespace {  // internal linkage: see linear_store.h

// Writes weights (count, 16) of inputs k .. k + count; a group has one unit, and k and the length
// of a group that is not the only one are multiples of a block of codes.
//   weight = scale * (code - bias), + offset in a second rounding; or scale * levels[code]
template <class I, class Unpack, bool kLevels>
struct CodeWeights {
  using S = typename I::Float;
  static constexpr bool kDirect = false;
  static constexpr int kInputs = 4 * Unpack::kChunks;  // of a block

  static const std::byte* widen(const LinearSlice& slice, const std::byte* tile, std::int64_t k,
                                std::int64_t count, float* room) {
    const CodeTiles& codes = *slice.codes;
    for (std::int64_t end = k + count; k < end;) {
      const std::int64_t g = k / codes.group_inputs, within = k - g * codes.group_inputs;
      const std::int64_t left = codes.group_inputs - within;
      const std::int64_t taken = left < end - k ? left : end - k;
      widen_group(codes, tile + g * codes.group_bytes, within, taken,
                  room + (k - (end - count)) * kTileRows);
      k += taken;
    }
    return reinterpret_cast<const std::byte*>(room);
  }

 private:
  static void widen_group(const CodeTiles& codes, const std::byte* group, std::int64_t first,
                          std::int64_t count, float* room) {
    const std::byte* scales = group + codes.code_bytes;
    const auto scale = code_tiles::load_scales<S>(codes, scales);
    const auto bias = S::set(static_cast<float>(codes.bias));
    const bool shifted = codes.offsets != OffsetForm::kNone;
    const auto offset = shifted ? code_tiles::load_offsets<S>(
                                      codes, scales + code_tiles::scales_bytes(codes), scale)
                                : S::zero();
    constexpr int kBytes = 64 * Unpack::kVectors;
    const std::byte* p = group + first / kInputs * kBytes;
    for (std::int64_t k = 0; k < count; k += kInputs, p += kBytes) {
      FARTHING_UNROLL
      for (int c = 0; c < Unpack::kChunks; ++c) {
        const auto b = Unpack::template chunk<I>(p, codes, c);
        FARTHING_UNROLL
        for (int j = 0; j < 4; ++j, room += kTileRows) {
          typename S::F weight;
          if constexpr (kLevels)
            weight = S::mul(I::look_up_floats(codes.levels, b, j), scale);
          else
            weight = S::mul(S::sub(I::code_floats(b, j), bias), scale);
          S::store(room, shifted ? S::add(weight, offset) : weight);
        }
      }
    }
  }
};

}  // namespace
}  // namespace farthing::kernels::float_tiles
