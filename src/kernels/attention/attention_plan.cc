#include "kernels/attention/attention_plan.h"

#include <algorithm>

namespace farthing::kernels {
namespace {

// Threads take pieces as they get free; none should be more than this part of a thread's work.
constexpr std::int64_t kPiecesPerThread = 4;

std::int64_t piece_chunks(const AttentionTask& task, std::int64_t limit) {
  return std::clamp<std::int64_t>(limit / task.rows, 1, task.chunks());
}

}  // namespace

AttentionPlan::AttentionPlan(const KvLayout& layout, const AttentionRules& rules,
                             std::span<const AttentionSequence> sequences, int threads) {
  list_tasks(layout, rules, sequences);
  const int padded_dim = static_cast<int>(KvPage(layout).padded_dim);
  std::int64_t work = 0;  // in rows times chunks
  for (const auto& task : tasks_) work += task.rows * task.chunks();
  const std::int64_t limit = threads == 1 ? work : work / (threads * kPiecesPerThread);
  std::size_t floats = 0, cut_tasks = 0;
  for (const auto& task : tasks_)
    if (piece_chunks(task, limit) < task.chunks()) {
      floats += static_cast<std::size_t>(task.chunks()) * partial_floats(task.rows, padded_dim);
      ++cut_tasks;
    }
  thread_local AlignedArray<float> memory;
  memory.reserve_scratch(floats);
  counters_ = std::vector<std::atomic<int>>(cut_tasks);
  add_pieces(padded_dim, limit, memory.data());
}

void AttentionPlan::list_tasks(const KvLayout& layout, const AttentionRules& rules,
                               std::span<const AttentionSequence> sequences) {
  const std::int64_t group = rules.heads / layout.kv_heads;
  for (const auto& sequence : sequences)
    for (int head = 0; head < layout.kv_heads; ++head) {
      const std::int64_t rows = sequence.count * group;
      for (std::int64_t row = 0; row < rows; row += kTileRows) {
        AttentionTask task{.sequence = &sequence,
                           .kv_head = head,
                           .row = row,
                           .rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows - row)),
                           .group = group,
                           .window = rules.window};
        task.first_chunk = task.first_seen(0) / kChunkTokens;
        task.last_chunk = task.position(task.rows - 1) / kChunkTokens + 1;
        tasks_.push_back(task);
      }
    }
}

void AttentionPlan::add_pieces(int padded_dim, std::int64_t limit, float* partials) {
  std::size_t counter = 0;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const AttentionTask& task = tasks_[i];
    const std::int64_t size = piece_chunks(task, limit);
    if (size >= task.chunks()) {
      pieces_.push_back({i, task.first_chunk, task.last_chunk, nullptr, nullptr});
      continue;
    }
    std::atomic<int>& missing = counters_[counter++];
    for (std::int64_t c = task.first_chunk; c < task.last_chunk; c += size) {
      pieces_.push_back({i, c, std::min(task.last_chunk, c + size), partials, &missing});
      missing.fetch_add(1, std::memory_order_relaxed);
    }
    partials += static_cast<std::size_t>(task.chunks()) * partial_floats(task.rows, padded_dim);
  }
}

}  // namespace farthing::kernels
