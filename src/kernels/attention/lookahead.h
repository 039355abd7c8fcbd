// Asks memory early for what a tile of INT8 will read: evenly over the work on a chunk, so that
// memory is never idle while weights are computed, nor waited for while they are multiplied.
#pragma once

#include "kernels/attention/tile_rows.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// S is an instruction set of simd/float_*.h.
template <class S>
class Lookahead {
 public:
  // While a chunk's keys are multiplied its values are on their way, then the next chunk's keys.
  // Nobody has asked for the keys of a first chunk.
  Lookahead(const AttentionTile& t, Range pages) : stretch_bytes_(static_cast<int>(t.values)) {
    for (int p = pages.first; p < pages.last; ++p) stretches_[count_++] = t.blocks[p] + t.values;
    for (int p = kChunkPages; p < 2 * kChunkPages; ++p)
      if (t.blocks[p] != nullptr) stretches_[count_++] = t.blocks[p];
    start_stretch();
    if (!t.cold) return;
    for (int p = pages.first; p < pages.last; ++p)
      for (int i = 0; i < stretch_bytes_; i += kLine) S::prefetch(t.blocks[p] + i);
  }
  // A third of the work on the chunk begins, in so many steps.
  void begin(int third, int steps) {
    due_ = count_ * stretch_bytes_ / 3 * third;
    rate_ = count_ * stretch_bytes_ / 3 / (steps > 0 ? steps : 1);
  }
  [[gnu::always_inline]] inline void step() {
    for (due_ += rate_; asked_ < due_; asked_ += kLine, at_ += kLine) {
      if (at_ == end_) start_stretch();
      S::prefetch(at_);
    }
  }

 private:
  static constexpr int kLine = 64;
  void start_stretch() {
    if (next_ == count_) return;
    at_ = stretches_[next_++];
    end_ = at_ + stretch_bytes_;
  }
  const std::byte* stretches_[2 * kChunkPages];
  const std::byte *at_ = nullptr, *end_ = nullptr;
  int stretch_bytes_;  // a page's keys, or as many of its values: a multiple of kLine
  int count_ = 0, next_ = 0, asked_ = 0, due_ = 0, rate_ = 0;
};

}  // namespace
}  // namespace farthing::kernels
