// The integer kernel on AMX tiles: the sums of the other kernels, sixteen tokens at a time.
#pragma once

#include "kernels/code_tiles/body.h"
#include "simd/amx.h"
#include "simd/int_avx512.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

using AmxInt = simd::IntAvx512;
using AmxFloat = AmxInt::Float;

inline constexpr int kAmxStripe = 128;  // tokens that share one unpacking of a unit

// Inputs lie token after token: kPlanes times the numbers of 32 bits of a unit.
struct AmxInputs {
  const std::int32_t* codes;
  std::int64_t token_dwords;
};

// C = the products of 16 tokens with a unit of `dwords` rows, C0 and, of the low planes, C1.
template <int kPlanes>
FARTHING_SIMD void multiply_tiles(const std::int32_t* x, std::int64_t x_stride, const std::byte* b,
                                  int dwords) {
  const auto stride = static_cast<std::size_t>(4 * x_stride);
  simd::AmxTiles::order_memory();
  _tile_zero(0);
  if constexpr (kPlanes == 2) _tile_zero(1);
  int k = 0;
  for (; k + simd::kAmxRows <= dwords; k += simd::kAmxRows) {
    _tile_loadd(3, b + 64 * k, 64);
    _tile_loadd(2, x + k, stride);
    _tile_dpbsud(0, 2, 3);
    if constexpr (kPlanes == 2) {
      _tile_loadd(2, x + dwords + k, stride);
      _tile_dpbsud(1, 2, 3);
    }
  }
  if (k == dwords) return;
  _tile_loadd(5, b + 64 * k, 64);
  _tile_loadd(4, x + k, stride);
  _tile_dpbsud(0, 4, 5);
  if constexpr (kPlanes == 2) {
    _tile_loadd(4, x + dwords + k, stride);
    _tile_dpbsud(1, 4, 5);
  }
}

// One unit's numbers besides its codes.
struct AmxUnit {
  AmxFloat::F scale, offset;
  bool has_offsets;
  std::int64_t unit;
};

// sums (tokens, 16) takes in a unit's C, in the order that code_tiles.h promises.
template <int kPlanes>
FARTHING_SIMD void add_unit(const LinearSlice& slice, const AmxUnit& at, std::int64_t token,
                            int tokens, std::int64_t units, float* sums) {
  alignas(64) std::int32_t high[simd::kAmxTokens * kTileRows], low[simd::kAmxTokens * kTileRows];
  _tile_stored(0, high, 64);
  if constexpr (kPlanes == 2) _tile_stored(1, low, 64);
  for (int t = 0; t < tokens; ++t, sums += kTileRows) {
    const std::int64_t i = (token + t) * units + at.unit;
    __m512i acc = _mm512_load_si512(high + t * kTileRows);
    if constexpr (kPlanes == 2)
      acc = AmxInt::add(_mm512_slli_epi32(acc, 8), _mm512_load_si512(low + t * kTileRows));
    acc = AmxInt::add(acc, AmxInt::set(slice.x_folds[i]));
    const auto x_scale = AmxFloat::set(slice.x_scales[i]);
    auto sum = AmxFloat::fma(AmxInt::to_float(acc), AmxFloat::mul(at.scale, x_scale),
                             AmxFloat::load(sums));
    if (at.has_offsets)
      sum = AmxFloat::fma(AmxFloat::mul(at.offset, x_scale), AmxFloat::set(slice.x_sums[i]), sum);
    AmxFloat::store(sums, sum);
  }
}

// A unit's codes as rows of B: where they are, or unpacked into the room.
template <class Unpack>
FARTHING_SIMD const std::byte* unpack_unit(const CodeTiles& codes, const std::byte* p,
                                           std::byte* room) {
  if constexpr (Unpack::kChunks == 1) return p;
  std::byte* to = room;
  for (std::int64_t left = codes.unit_vectors; left > 0; left -= Unpack::kVectors) {
    FARTHING_UNROLL
    for (int c = 0; c < Unpack::kChunks; ++c, to += 64)
      AmxInt::store(to, Unpack::template chunk<AmxInt>(p, codes, c));
    p += 64 * Unpack::kVectors;
  }
  return room;
}

// One tile of outputs with tokens `begin` .. `end` - 1.
template <class Unpack, int kPlanes>
inline void run_amx_tile(const LinearSlice& slice, std::int64_t tile, std::int64_t begin,
                         std::int64_t end) {
  prefetch_outputs(slice, tile, 1, begin, end - begin);
  const CodeTiles& codes = *slice.codes;
  const int dwords = static_cast<int>(codes.unit_padded / 4);
  const std::int64_t units = codes.groups * codes.units, token_dwords = units * dwords * kPlanes;
  alignas(64) std::byte room[kMaxUnit * kTileRows];
  alignas(64) float sums[kAmxStripe * kTileRows];
  for (std::int64_t i = 0; i < (end - begin) * kTileRows; ++i) sums[i] = 0.0f;
  const std::byte* p = slice.tiles + tile * slice.tile_bytes;
  AmxUnit at;
  at.has_offsets = codes.offsets != OffsetForm::kNone;
  for (at.unit = 0; at.unit < units; p += codes.group_bytes) {
    const std::byte* scales = p + codes.code_bytes;
    for (std::int64_t u = 0; u < codes.units; ++u, ++at.unit) {
      at.scale = load_scales<AmxFloat>(codes, scales, u);
      if (at.has_offsets) at.offset = load_offsets<AmxFloat>(codes, scales, u, at.scale);
      const std::byte* b = unpack_unit<Unpack>(codes, p + u * codes.unit_vectors * 64, room);
      for (std::int64_t token = begin; token < end; token += simd::kAmxTokens) {
        const std::int64_t left = end - token;
        multiply_tiles<kPlanes>(slice.x_codes + token * token_dwords + at.unit * dwords * kPlanes,
                                token_dwords, b, dwords);
        add_unit<kPlanes>(slice, at, token,
                          static_cast<int>(left < simd::kAmxTokens ? left : simd::kAmxTokens),
                          units, sums + (token - begin) * kTileRows);
      }
    }
  }
  store_tiles<AmxFloat>(slice, tile, 1, begin, end - begin, sums);
}

template <class Unpack, int kPlanes>
inline void run_amx(const LinearSlice& slice) {
  const int dwords = static_cast<int>(slice.codes->unit_padded / 4);
  const int tokens =
      static_cast<int>(slice.tokens < simd::kAmxTokens ? slice.tokens : simd::kAmxTokens);
  simd::AmxTiles::configure(tokens, dwords % simd::kAmxRows);
  for (std::int64_t begin = 0; begin < slice.tokens; begin += kAmxStripe) {
    const std::int64_t end = begin + kAmxStripe < slice.tokens ? begin + kAmxStripe : slice.tokens;
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile)
      run_amx_tile<Unpack, kPlanes>(slice, tile, begin, end);
  }
  simd::AmxTiles::release();
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
