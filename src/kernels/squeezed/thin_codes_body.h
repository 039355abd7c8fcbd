// One token of integers times squeezed codes, expanded in registers: what decoding does. Within a
// unit sums are exact and between them in the order of code_tiles/body.h, so bits are the same.
//   V::bytes(mask, values, zero): 64 codes; V::halves(mask, values, zero): 64 from half bytes
#pragma once

#include "kernels/code_tiles/unpack.h"
#include "kernels/squeezed/thin_body.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// The products of the next vector of a tile, which `values` moves past.
template <class V, SqueezedElement E, class Dot>
FARTHING_SIMD void add_thin(const std::byte* masks, const std::byte*& values, std::uint8_t zero,
                            const std::int32_t* x, typename Dot::Partial& sum) {
  const auto mask = mask_at<std::uint64_t>(masks);
  if constexpr (E == SqueezedElement::kBytes) {
    sum = Dot::dot(sum, V::bytes(mask, values, zero), Dot::input(x, 1));
    values += __builtin_popcountll(mask);
  } else {
    sum = Dot::dot(sum, V::halves(mask, values, zero & 15), Dot::input(x, 1));
    values += (__builtin_popcountll(mask) + 1) / 2;
    const auto high = mask_at<std::uint64_t>(masks + 8);
    sum = Dot::dot(sum, V::halves(high, values, zero & 15), Dot::input(x + Dot::kDwords, 1));
    values += (__builtin_popcountll(high) + 1) / 2;
  }
}

// The sums of one unit of a tile. Vectors take turns with four accumulators, which hide the latency
// of the products: so one tile at a time is enough, and memory is read in one stream.
template <class V, SqueezedElement E, class Dot>
FARTHING_SIMD auto thin_unit(const SqueezedTiles& s, std::int64_t vectors, const std::byte*& values,
                             const std::int32_t* x, std::int32_t fold) {
  using S = typename Dot::Isa;
  constexpr std::int64_t kMask = squeezed_mask_bytes(E);
  constexpr int kDwords = (E == SqueezedElement::kBytes ? 1 : 2) * Dot::kDwords;  // a vector
  typename Dot::Partial sums[4];
  FARTHING_UNROLL
  for (int i = 0; i < 4; ++i) sums[i] = Dot::start(S::set(i == 0 ? fold : 0));
  const std::byte* masks = values;
  values += vectors * kMask;
  std::int64_t left = vectors;
  for (; left >= 4; left -= 4, masks += 4 * kMask, x += 4 * kDwords) {
    FARTHING_UNROLL
    for (int i = 0; i < 4; ++i) {
      add_thin<V, E, Dot>(masks + i * kMask, values, s.zero, x + i * kDwords, sums[i]);
      S::Float::prefetch(values + kSqueezedAhead);
    }
  }
  for (; left > 0; --left, masks += kMask, x += kDwords)
    add_thin<V, E, Dot>(masks, values, s.zero, x, sums[0]);
  return S::add(S::add(Dot::finish(sums[0]), Dot::finish(sums[1])),
                S::add(Dot::finish(sums[2]), Dot::finish(sums[3])));
}

template <class V, SqueezedElement E, class Dot>
inline void run_thin_codes(const SqueezedTiles& s, const LinearSlice& slice) {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  constexpr int kDwords = (E == SqueezedElement::kBytes ? 1 : 2) * Dot::kDwords;
  const CodeTiles& codes = *slice.codes;
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile) {
    const std::byte* values = slice.tiles + tile * slice.tile_bytes;  // of the group before
    const std::int32_t* x = slice.x_codes;
    alignas(64) float sums[kTileRows];
    auto sum = F::zero();
    for (std::int64_t g = 0, unit = 0; g < codes.groups; ++g) {
      const std::byte* scales = values;
      values += s.raw_bytes;
      for (std::int64_t u = 0; u < codes.units; ++u, ++unit) {
        const auto products =
            thin_unit<V, E, Dot>(s, codes.unit_vectors, values, x, slice.x_folds[unit]);
        const auto scale = code_tiles::load_scales<F>(codes, scales, u);
        sum = F::fma(S::to_float(products), F::mul(scale, F::set(slice.x_scales[unit])), sum);
        x += codes.unit_vectors * kDwords;
      }
    }
    F::store(sums, sum);
    store_tile<F>(slice, tile, 0, sums);
  }
}

// The same for elements known only now: codes.
template <class V, class Dot>
inline void run_thin_codes_of(const SqueezedTiles& s, const LinearSlice& slice) {
  if (s.element == SqueezedElement::kBytes)
    run_thin_codes<V, SqueezedElement::kBytes, Dot>(s, slice);
  else
    run_thin_codes<V, SqueezedElement::kHalfBytes, Dot>(s, slice);
}

}  // namespace
}  // namespace farthing::kernels
