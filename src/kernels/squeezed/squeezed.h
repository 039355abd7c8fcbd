// Tiles with their zeros squeezed out, for weights that pruning has thinned.
//
// A dense tile (linear_slice.h) is groups of vectors of 64 bytes, each group followed by raw bytes
// (scales, offsets). Squeezed, a group is the raw bytes, then run after run of vectors: a mask for
// each, with a bit for each element that is not zero, lowest first, and behind the masks the
// elements that are not zero, one after the other. Runs are short, so that a tile is read as one
// stream. Expanding gives back every byte, so dense kernels run on the result and give the same
// bits on every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/float_tiles/float_tiles.h"
#include "kernels/linear_slice.h"

namespace farthing::kernels {

// What a bit of a mask stands for. Of half bytes a vector has the 64 low ones, then the 64 high
// ones, each with a mask and values of its own, two a byte.
enum class SqueezedElement : std::uint8_t { kHalfBytes, kBytes, kWords };

struct SqueezedTiles {
  SqueezedElement element = SqueezedElement::kBytes;
  std::uint8_t zero = 0;     // a byte of elements that are all zero: the code of zero, or of two
  std::int64_t groups = 0;   // 0: tiles are dense
  std::int64_t vectors = 0;  // a group
  std::int64_t run = 0;      // vectors whose masks lie together; the last run may be shorter
  std::int64_t raw_bytes = 0;
  std::int64_t dense_bytes = 0;  // of a tile once expanded
};

constexpr std::int64_t squeezed_mask_bytes(SqueezedElement element) {
  switch (element) {
    case SqueezedElement::kHalfBytes:
      return 16;
    case SqueezedElement::kBytes:
      return 8;
    case SqueezedElement::kWords:
      return 4;
  }
  return 0;
}

// The run of tiles of words: two inputs a vector, those of a block of the float kernels.
inline constexpr std::int64_t kSqueezedRunWords = float_tiles::kBlockInputs / 2;

// Writes the dense tile `to`. Reads up to 64 bytes behind the end of the squeezed one.
using ExpandRun = void (*)(const SqueezedTiles&, const std::byte* from, std::byte* to);
void expand_scalar(const SqueezedTiles&, const std::byte* from, std::byte* to);
void expand_avx2(const SqueezedTiles&, const std::byte* from, std::byte* to);
void expand_avx512vbmi2(const SqueezedTiles&, const std::byte* from, std::byte* to);

// One token without a detour through memory: BF16 weights and floats, codes and kBytes, codes and
// kPlanes (activations.h).
using ThinRun = void (*)(const SqueezedTiles&, const LinearSlice&);
void thin_words_avx2(const SqueezedTiles&, const LinearSlice&);
void thin_words_avx512vbmi2(const SqueezedTiles&, const LinearSlice&);
void thin_int8_avx512vbmi2(const SqueezedTiles&, const LinearSlice&);
void thin_int16_avx512vbmi2(const SqueezedTiles&, const LinearSlice&);

}  // namespace farthing::kernels
