// Tiles of codes as the floats they stand for, for float inputs.
#pragma once

#include "kernels/code_tiles/unpack.h"

namespace farthing::kernels::float_tiles {
namespace {  // internal linkage: see linear_store.h

// A scale is a unit's, and k and the length of a unit that is not the only one are multiples of a
// block of codes.
//   weight = scale * (code - bias), + offset in a second rounding; or scale * levels[code], which
//   are code - bias where there is no codebook
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
      const Place at(codes, k, end);
      widen_unit(codes, tile, at, room + (k - (end - count)) * kTileRows);
      k += at.taken;
    }
    return reinterpret_cast<const std::byte*>(room);
  }

  // sums[t][r] takes in the products of inputs k .. k + count, whole blocks, with the numbers of T
  // tokens: the weights never leave the registers.
  template <int R, int T>
  FARTHING_SIMD void multiply(const CodeTiles& codes, const std::byte* const* tiles, std::int64_t k,
                              std::int64_t count, const float* x, typename S::F (&sums)[T][R]) {
    for (const std::int64_t end = k + count; k < end;) {
      const Place at(codes, k, end);
      if (codes.offsets == OffsetForm::kNone)
        multiply_unit<false, R, T>(codes, tiles, at, x, sums);
      else
        multiply_unit<true, R, T>(codes, tiles, at, x, sums);
      k += at.taken;
      x += at.taken * T;
    }
  }

 private:
  static constexpr int kBytes = 64 * Unpack::kVectors;

  // Inputs k .. k + taken of a unit.
  struct Place {
    std::int64_t group, unit, taken;  // the unit within the group
    std::int64_t codes;               // bytes from the group's beginning
    Place(const CodeTiles& tiles, std::int64_t k, std::int64_t end) {
      unit = k / tiles.unit_inputs;
      const std::int64_t within = k - unit * tiles.unit_inputs, left = tiles.unit_inputs - within;
      taken = left < end - k ? left : end - k;
      group = tiles.units == 1 ? unit : unit / tiles.units;
      unit -= group * tiles.units;
      codes = unit * tiles.unit_vectors * 64 + within / kInputs * kBytes;
    }
  };
  struct Unit {
    typename S::F scale, bias, offset;
    bool shifted;
  };
  FARTHING_SIMD Unit read_unit(const CodeTiles& codes, const std::byte* group, std::int64_t unit) {
    const std::byte* scales = group + codes.code_bytes;
    const auto scale = code_tiles::load_scales<S>(codes, scales, unit);
    const bool shifted = codes.offsets != OffsetForm::kNone;
    return {scale, S::set(static_cast<float>(codes.bias)),
            shifted ? code_tiles::load_offsets<S>(codes, scales, unit, scale) : S::zero(), shifted};
  }
  // The weights of input j of four, but for the offset.
  FARTHING_SIMD typename S::F scaled(const CodeTiles& codes, const Unit& at, const typename I::B& b,
                                     int j) {
    if constexpr (kLevels)
      return S::mul(I::look_up_floats(codes.levels, b, j), at.scale);
    else
      return S::mul(S::sub(I::code_floats(b, j), at.bias), at.scale);
  }

  template <bool kShifted, int R, int T>
  FARTHING_SIMD void multiply_unit(const CodeTiles& codes, const std::byte* const* tiles,
                                   const Place& place, const float* x,
                                   typename S::F (&sums)[T][R]) {
    Unit at[R];
    const std::byte* p[R];
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) {
      const std::byte* group = tiles[r] + place.group * codes.group_bytes;
      at[r] = read_unit(codes, group, place.unit);
      p[r] = group + place.codes;
    }
    for (std::int64_t count = place.taken; count > 0; count -= kInputs) {
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

  static void widen_unit(const CodeTiles& codes, const std::byte* tile, const Place& place,
                         float* room) {
    const std::byte* group = tile + place.group * codes.group_bytes;
    const Unit at = read_unit(codes, group, place.unit);
    const std::byte* p = group + place.codes;
    for (std::int64_t k = 0; k < place.taken; k += kInputs, p += kBytes) {
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
