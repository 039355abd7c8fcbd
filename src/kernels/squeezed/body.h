// Expanding a squeezed tile, once for every way V of expanding 64 elements.
//   V::expand(mask, values, to, zero): 64 bytes from the values that the mask names, XOR zero
//   V::expand_words(mask, values, to): 32 words of 16 bits
//   V::expand_halves(low, low_values, high, high_values, to, zero): 64 low and 64 high half bytes
#pragma once

#include "kernels/squeezed/squeezed.h"
#include "simd/inline.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

template <class T>
FARTHING_SIMD T mask_at(const std::byte* p) {
  T mask;
  __builtin_memcpy(&mask, p, sizeof mask);
  return mask;
}

// Moves `values` past those of a vector and `to` past the vector.
template <class V, SqueezedElement E>
FARTHING_SIMD void expand_vector(const SqueezedTiles& s, const std::byte* masks,
                                 const std::byte*& values, std::byte*& to) {
  if constexpr (E == SqueezedElement::kWords) {
    const auto mask = mask_at<std::uint32_t>(masks);
    V::expand_words(mask, values, to);
    values += 2 * __builtin_popcount(mask);
  } else if constexpr (E == SqueezedElement::kBytes) {
    const auto mask = mask_at<std::uint64_t>(masks);
    V::expand(mask, values, to, s.zero);
    values += __builtin_popcountll(mask);
  } else {
    const auto low = mask_at<std::uint64_t>(masks), high = mask_at<std::uint64_t>(masks + 8);
    const std::byte* high_values = values + (__builtin_popcountll(low) + 1) / 2;
    V::expand_halves(low, values, high, high_values, to, s.zero);
    values = high_values + (__builtin_popcountll(high) + 1) / 2;
  }
  to += 64;
}

template <class V, SqueezedElement E>
inline void expand_tile(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  constexpr std::int64_t kMask = squeezed_mask_bytes(E);
  for (std::int64_t g = 0; g < s.groups; ++g) {
    const std::byte* raw = from;
    const std::byte* values = raw + s.raw_bytes;
    for (std::int64_t left = s.vectors; left > 0; left -= s.run) {
      const std::int64_t count = left < s.run ? left : s.run;
      const std::byte* masks = values;
      values += count * kMask;
      for (std::int64_t v = 0; v < count; ++v)
        expand_vector<V, E>(s, masks + v * kMask, values, to);
    }
    __builtin_memcpy(to, raw, static_cast<std::size_t>(s.raw_bytes));
    to += s.raw_bytes;
    from = values;
  }
}

template <class V>
inline void expand(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  switch (s.element) {
    case SqueezedElement::kHalfBytes:
      return expand_tile<V, SqueezedElement::kHalfBytes>(s, from, to);
    case SqueezedElement::kBytes:
      return expand_tile<V, SqueezedElement::kBytes>(s, from, to);
    case SqueezedElement::kWords:
      return expand_tile<V, SqueezedElement::kWords>(s, from, to);
  }
}

}  // namespace
}  // namespace farthing::kernels
