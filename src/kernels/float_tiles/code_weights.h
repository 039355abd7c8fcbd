// Tiles of codes as the floats they stand for, for float inputs.
#pragma once

#include "kernels/code_tiles/unpack.h"

namespace farthing::kernels::float_tiles {
namespace {  // internal linkage: see linear_store.h

// A group has one unit, and k and the length of a group that is not the only one are multiples of a
// block of codes.
//   weight = scale * (code - bias), + offset in a second rounding; or scale * levels[code]
template <class I, class Unpack, bool kLevels>
struct CodeWeights {
  using S = typename I::Float;
  static constexpr bool kDirect = false;
  static constexpr int kInputs = 4 * Unpack::kChunks;  // of a block

  // Writes weights (count, 16) of inputs k .. k + count.
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

  // sums[t][r] takes in the products of inputs k .. k + count, whole blocks, with the numbers of T
  // tokens: the weights never leave the registers.
  template <int R, int T>
  FARTHING_SIMD void multiply(const CodeTiles& codes, const std::byte* const* tiles, std::int64_t k,
                              std::int64_t count, const float* x, typename S::F (&sums)[T][R]) {
    for (const std::int64_t end = k + count; k < end;) {
      const std::int64_t g = k / codes.group_inputs, within = k - g * codes.group_inputs;
      const std::int64_t left = codes.group_inputs - within;
      const std::int64_t taken = left < end - k ? left : end - k;
      const std::byte* groups[R];
      for (int r = 0; r < R; ++r) groups[r] = tiles[r] + g * codes.group_bytes;
      if (codes.offsets == OffsetForm::kNone)
        multiply_group<false, R, T>(codes, groups, within, taken, x, sums);
      else
        multiply_group<true, R, T>(codes, groups, within, taken, x, sums);
      k += taken;
      x += taken * T;
    }
  }

 private:
  static constexpr int kBytes = 64 * Unpack::kVectors;

  struct Group {
    typename S::F scale, bias, offset;
    bool shifted;
  };
  FARTHING_SIMD Group read_group(const CodeTiles& codes, const std::byte* group) {
    const std::byte* scales = group + codes.code_bytes;
    const auto scale = code_tiles::load_scales<S>(codes, scales);
    const bool shifted = codes.offsets != OffsetForm::kNone;
    return {scale, S::set(static_cast<float>(codes.bias)),
            shifted ? code_tiles::load_offsets<S>(codes, scales + code_tiles::scales_bytes(codes),
                                                  scale)
                    : S::zero(),
            shifted};
  }
  // The weights of input j of four, but for the offset.
  FARTHING_SIMD typename S::F scaled(const CodeTiles& codes, const Group& at,
                                     const typename I::B& b, int j) {
    if constexpr (kLevels)
      return S::mul(I::look_up_floats(codes.levels, b, j), at.scale);
    else
      return S::mul(S::sub(I::code_floats(b, j), at.bias), at.scale);
  }

  template <bool kShifted, int R, int T>
  FARTHING_SIMD void multiply_group(const CodeTiles& codes, const std::byte* const* groups,
                                    std::int64_t first, std::int64_t count, const float* x,
                                    typename S::F (&sums)[T][R]) {
    Group at[R];
    const std::byte* p[R];
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) {
      at[r] = read_group(codes, groups[r]);
      p[r] = groups[r] + first / kInputs * kBytes;
    }
    for (; count > 0; count -= kInputs) {
      FARTHING_UNROLL
      for (int c = 0; c < Unpack::kChunks; ++c, x += 4 * T) {
        typename I::B b[R];
        FARTHING_UNROLL
        for (int r = 0; r < R; ++r) b[r] = Unpack::template chunk<I>(p[r], codes, c);
        FARTHING_UNROLL
        for (int j = 0; j < 4; ++j) {
          FARTHING_UNROLL
          for (int r = 0; r < R; ++r) {
            auto weight = scaled(codes, at[r], b[r], j);
            if constexpr (kShifted) weight = S::add(weight, at[r].offset);
            FARTHING_UNROLL
            for (int t = 0; t < T; ++t)
              sums[t][r] = S::fma(weight, S::set(x[j * T + t]), sums[t][r]);
          }
        }
      }
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < Unpack::kVectors; ++v, p[r] += 64)
          S::prefetch(p[r] + code_tiles::kAhead);
    }
  }

  static void widen_group(const CodeTiles& codes, const std::byte* group, std::int64_t first,
                          std::int64_t count, float* room) {
    const Group at = read_group(codes, group);
    const std::byte* p = group + first / kInputs * kBytes;
    for (std::int64_t k = 0; k < count; k += kInputs, p += kBytes) {
      FARTHING_UNROLL
      for (int c = 0; c < Unpack::kChunks; ++c) {
        const auto b = Unpack::template chunk<I>(p, codes, c);
        FARTHING_UNROLL
        for (int j = 0; j < 4; ++j, room += kTileRows) {
          const auto weight = scaled(codes, at, b, j);
          S::store(room, at.shifted ? S::add(weight, at.offset) : weight);
        }
      }
    }
  }
};

}  // namespace
}  // namespace farthing::kernels::float_tiles
