// The integer kernel for several tokens where unpacking codes costs as much as multiplying them:
// the codes of a unit are made ready once, in the first-level cache, and meet a stripe of tokens.
// The same numbers in the same order as body.h.
#pragma once

#include "kernels/code_tiles/body.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

inline constexpr int kStripeTokens = 96;  // whose sums stay in the first-level cache

// A way of multiplying that takes codes as they are.
template <class Dot>
struct AsTheyAre : Dot {
  using S = typename Dot::Isa;
  using Ready = typename S::B;
  static constexpr int kReadyBytes = 64, kReadyStep = 4;
  FARTHING_SIMD void make_ready(Ready codes, std::byte* room) { S::store(room, codes); }
  FARTHING_SIMD Ready load_ready(const std::byte* room) { return S::load(room); }
  FARTHING_SIMD typename Dot::Partial dot_ready(typename Dot::Partial partial, Ready codes,
                                                typename Dot::X x) {
    return Dot::dot(partial, codes, x);
  }
  FARTHING_SIMD void flush(typename Dot::Partial&) {}
};

// One unit of a tile, ready to be multiplied.
struct ReadyUnit {
  const std::byte* codes;  // (chunks) of Dot::kReadyBytes
  std::int64_t chunks;     // of four inputs
  const float* scales;     // (16)
  const float* offsets;    // (16) where there are any, or null
};

template <class Dot, class Unpack>
FARTHING_SIMD void make_ready(const CodeTiles& codes, const std::byte* w, std::byte* room) {
  using S = typename Dot::Isa;
  for (std::int64_t left = codes.unit_vectors; left > 0; left -= Unpack::kVectors) {
    FARTHING_UNROLL
    for (int c = 0; c < Unpack::kChunks; ++c, room += Dot::kReadyBytes)
      Dot::make_ready(Unpack::template chunk<S>(w, codes, c), room);
    for (int v = 0; v < Unpack::kVectors; ++v, w += 64) S::Float::prefetch(w + kAhead);
  }
}

template <class Dot, int T>
FARTHING_SIMD void add_ready(const std::byte* codes, const std::int32_t* x,
                             typename Dot::Partial (&sums)[T]) {
  const auto ready = Dot::load_ready(codes);
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) sums[t] = Dot::dot_ready(sums[t], ready, Dot::input(x + t, T));
}

// sums[t][16] += the unit's part of the outputs of one tile for T tokens.
template <class Dot, int T>
inline void add_unit(const ReadyUnit& unit, const PanelCursor& x, float* sums) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  typename Dot::Partial partial[T];
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t) partial[t] = Dot::start(S::set(x.folds[t]));
  const std::byte* w = unit.codes;
  const std::int32_t* in = x.codes;
  std::int64_t left = unit.chunks;
  for (; left >= Dot::kReadyStep; left -= Dot::kReadyStep) {
    FARTHING_UNROLL
    for (int c = 0; c < Dot::kReadyStep; ++c, w += Dot::kReadyBytes, in += Dot::kDwords * T)
      add_ready<Dot, T>(w, in, partial);
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) Dot::flush(partial[t]);
  }
  for (; left > 0; --left, w += Dot::kReadyBytes, in += Dot::kDwords * T) {
    add_ready<Dot, T>(w, in, partial);
    FARTHING_UNROLL
    for (int t = 0; t < T; ++t) Dot::flush(partial[t]);
  }
  const auto scale = F::load(unit.scales);
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t)
    F::store(sums + t * kTileRows,
             F::fma(S::to_float(Dot::finish(partial[t])), F::mul(scale, F::set(x.scales[t])),
                    F::load(sums + t * kTileRows)));
  if (unit.offsets == nullptr) return;
  const auto offset = F::load(unit.offsets);
  FARTHING_UNROLL
  for (int t = 0; t < T; ++t)
    F::store(sums + t * kTileRows, F::fma(F::mul(offset, F::set(x.scales[t])), F::set(x.sums[t]),
                                          F::load(sums + t * kTileRows)));
}

// The same for a number of tokens known only now, 1 .. T.
template <class Dot, int T>
inline void add_unit_of(int tokens, const ReadyUnit& unit, const PanelCursor& x, float* sums) {
  if (tokens == T)
    add_unit<Dot, T>(unit, x, sums);
  else if constexpr (T > 1)
    add_unit_of<Dot, T - 1>(tokens, unit, x, sums);
}

// One tile and the tokens begin .. end, at most kStripeTokens, in panels of `width`.
template <class Dot, class Unpack, int T>
inline void multiply_stripe(const LinearSlice& slice, const std::byte* w, std::int64_t begin,
                            std::int64_t end, std::int64_t width, float* sums) {
  using F = typename Dot::Isa::Float;
  const CodeTiles& codes = *slice.codes;
  const std::int64_t units = codes.groups * codes.units;
  const std::int64_t chunks = codes.unit_padded / 4;
  const bool shifted = codes.offsets != OffsetForm::kNone;
  alignas(64) std::byte room[kMaxUnit / 4 * Dot::kReadyBytes];
  alignas(64) float scales[kTileRows], offsets[kTileRows];
  for (std::int64_t i = 0; i < (end - begin) * kTileRows; ++i) sums[i] = 0.0f;
  for (std::int64_t g = 0, unit = 0; g < codes.groups; ++g, w += codes.group_bytes)
    for (std::int64_t u = 0; u < codes.units; ++u, ++unit) {
      make_ready<Dot, Unpack>(codes, w + u * codes.unit_vectors * 64, room);
      const auto scale = load_scales<F>(codes, w + codes.code_bytes, u);
      F::store(scales, scale);
      if (shifted) F::store(offsets, load_offsets<F>(codes, w + codes.code_bytes, u, scale));
      const ReadyUnit ready = {room, chunks, scales, shifted ? offsets : nullptr};
      for (std::int64_t token = begin; token < end; token += width) {
        const int now = static_cast<int>(end - token < width ? end - token : width);
        const PanelCursor x = {slice.x_codes + (token * units + unit * now) * chunks * Dot::kDwords,
                               slice.x_scales + token * units + unit * now,
                               slice.x_folds + token * units + unit * now,
                               slice.x_sums + token * units + unit * now};
        add_unit_of<Dot, T>(now, ready, x, sums + (token - begin) * kTileRows);
      }
    }
}

template <class Dot, class Unpack, int T>
inline void run_stripes(const LinearSlice& slice) {
  using F = typename Dot::Isa::Float;
  if constexpr (Dot::kFlush == 0) {
    if (slice.tokens <= T) return run_few_of<Dot, Unpack, T>(slice);
  } else {
    if (slice.tokens == 1) return run_tiles<Dot, Unpack, 1, 1>(slice);
  }
  const std::int64_t width = panel_width(slice.tokens, T);
  const std::int64_t dwords =
      slice.codes->groups * slice.codes->units * (slice.codes->unit_padded / 4) * Dot::kDwords;
  const std::int64_t fitting = kStripeBytes / (4 * dwords);
  const std::int64_t stripe =
      fitting < width ? width : (fitting < kStripeTokens ? fitting : kStripeTokens) / width * width;
  alignas(64) float sums[kStripeTokens * kTileRows];
  for (std::int64_t begin = 0; begin < slice.tokens; begin += stripe) {
    const std::int64_t end = begin + stripe < slice.tokens ? begin + stripe : slice.tokens;
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile) {
      prefetch_outputs(slice, tile, 1, begin, end - begin);
      multiply_stripe<Dot, Unpack, T>(slice, slice.tiles + tile * slice.tile_bytes, begin, end,
                                      width, sums);
      store_tiles<F>(slice, tile, 1, begin, end - begin, sums);
    }
  }
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
