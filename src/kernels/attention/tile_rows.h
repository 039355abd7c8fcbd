// Which rows and positions of a tile are worked on, and which memory is asked for early.
#pragma once

#include "kernels/attention/tile_kernels.h"
#include "simd/inline.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

struct Range {  // of positions in the chunk
  int first, last;
  FARTHING_SIMD Range common(Range a, Range b) {
    return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
  }
  // In whole vectors of positions.
  [[gnu::always_inline]] inline Range whole() const {
    return {first / kLanes * kLanes, (last + kLanes - 1) / kLanes * kLanes};
  }
  [[gnu::always_inline]] inline Range pages() const {
    return {first / kPageTokens, (last + kPageTokens - 1) / kPageTokens};
  }
  [[gnu::always_inline]] inline bool empty() const { return first >= last; }
};
FARTHING_SIMD Range positions_of(int page) {
  return {page * kPageTokens, (page + 1) * kPageTokens};
}

struct Block {  // of rows, those that registers hold sums of
  int row, rows;
};
FARTHING_SIMD Block block_at(const AttentionTile& t, int row, int most) {
  const int left = t.rows - row;
  return {row, left < most ? left : most};
}
// What any row of the block sees.
FARTHING_SIMD Range seen_by(const AttentionTile& t, Block block) {
  Range range{kChunkTokens, 0};
  for (int r = block.row; r < block.row + block.rows; ++r) {
    if (t.first[r] >= t.last[r]) continue;
    range.first = t.first[r] < range.first ? t.first[r] : range.first;
    range.last = t.last[r] > range.last ? t.last[r] : range.last;
  }
  return range;
}

// Memory is read in the order keys, values, next chunk's keys; what comes kAhead pages later is
// asked for early.
struct Stream {
  static constexpr int kAhead = 2;
  const std::byte *keys_ahead[kChunkPages], *values_ahead[kChunkPages];
  Stream(const AttentionTile& t, Range pages) {
    for (int p = pages.first; p < pages.last; ++p) {
      const int next = p + kAhead, over = next - pages.last;
      const bool inside = over < 0;
      const int value_page = pages.first + over;
      keys_ahead[p] =
          inside ? t.blocks[next] : t.blocks[value_page < pages.last ? value_page : p] + t.values;
      const std::byte* after = inside ? t.blocks[next] + t.values : t.blocks[kChunkPages + over];
      values_ahead[p] = after != nullptr ? after : t.blocks[p] + t.values;
    }
  }
};

}  // namespace
}  // namespace farthing::kernels
