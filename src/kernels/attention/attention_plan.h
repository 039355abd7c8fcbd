// How one call of attend() is shared out over threads: no choice made here changes a result.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "core/memory.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/tile_kernels.h"

namespace farthing::kernels {

// A row is one query head of one token: the rows (token, head of the group) of one sequence and one
// key/value head are cut into tasks of kTileRows.
struct AttentionTask {
  const AttentionSequence* sequence = nullptr;
  int kv_head = 0;
  std::int64_t row = 0;  // of the sequence's count * group rows
  int rows = 0;
  std::int64_t first_chunk = 0, last_chunk = 0;  // that some row sees

  std::int64_t group = 1;  // query heads a key/value head
  std::int64_t window = 0;

  std::int64_t position(int r) const { return sequence->first_position + (row + r) / group; }
  std::int64_t first_seen(int r) const {
    return window > 0 && position(r) >= window ? position(r) - window + 1 : 0;
  }
  std::int64_t head(int r) const { return kv_head * group + (row + r) % group; }
  std::int64_t matrix_row(int r) const { return sequence->first_row + (row + r) / group; }
  std::int64_t chunks() const { return last_chunk - first_chunk; }
};

// A piece of a task, some of its chunks. The thread that finishes the last piece joins them all.
struct AttentionPiece {
  std::size_t task = 0;
  std::int64_t first_chunk = 0, last_chunk = 0;
  bool whole() const { return partials == nullptr; }
  float* partials = nullptr;            // of the task's first chunk
  std::atomic<int>* missing = nullptr;  // pieces of the task that are not finished
};

// The tasks, cut by chunks where the context is so long that threads would be left without work.
// At most one plan a thread at a time: its memory is kept for the next.
class AttentionPlan {
 public:
  AttentionPlan(const KvLayout& layout, const AttentionRules& rules,
                std::span<const AttentionSequence> sequences, int threads);
  const std::vector<AttentionTask>& tasks() const { return tasks_; }
  const std::vector<AttentionPiece>& pieces() const { return pieces_; }

 private:
  void list_tasks(const KvLayout& layout, const AttentionRules& rules,
                  std::span<const AttentionSequence> sequences);
  void add_pieces(int padded_dim, std::int64_t limit, float* partials);

  std::vector<AttentionTask> tasks_;
  std::vector<AttentionPiece> pieces_;
  std::vector<std::atomic<int>> counters_;
};

// Floats that one chunk's result takes: largest (rows), sum (rows), mix (rows, padded_dim).
inline std::size_t partial_floats(int rows, int padded_dim) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(padded_dim + 2);
}

}  // namespace farthing::kernels
