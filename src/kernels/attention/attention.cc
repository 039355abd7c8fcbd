#include "kernels/attention/attention.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/memory.h"
#include "kernels/attention/tile_kernels.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

// Best first.
struct TileKernelsOf {
  Isa isa;
  const TileKernels* kernels;
};
constexpr TileKernelsOf kTable[] = {
#if defined(__x86_64__)
    {Isa::kAvx512, &kTileKernelsAvx512},
    {Isa::kAvx2, &kTileKernelsAvx2},
#endif
    {Isa::kScalar, &kTileKernelsScalar},
};
const TileKernels& kernels_for(const Runtime& runtime) {
  for (const auto& row : kTable)
    if (runtime.isas.has(row.isa)) return *row.kernels;
  return kTileKernelsScalar;
}

// A row is one query head of one token: the rows (token, head of the group) of one sequence and one
// key/value head are cut into tasks of kTileRows.
// Threads take tasks as they get free; no task should be more than this share of a thread's work.
constexpr std::int64_t kTasksPerThread = 4;

struct Task {
  const AttentionSequence* sequence = nullptr;
  int kv_head = 0;
  std::int64_t row = 0;  // of the sequence's count * group rows
  int rows = 0;
  std::int64_t first_chunk = 0, last_chunk = 0;  // that some row sees

  std::int64_t chunks() const { return last_chunk - first_chunk; }
};

// A piece of a task, some of its chunks. The thread that finishes the last piece joins them all.
struct Piece {
  std::size_t task = 0;
  std::int64_t first_chunk = 0, last_chunk = 0;
  bool whole() const { return partials == nullptr; }
  float* partials = nullptr;            // of the task's first chunk
  std::atomic<int>* missing = nullptr;  // pieces of the task that are not finished
};

// Everything about one call that its tasks share.
struct Call {
  const TileKernels& kernels;
  const KvLayout& layout;
  const AttentionRules& rules;
  MatrixView<const float> q;
  MatrixView<float> out;
  KvPage page;
  std::int64_t group;  // query heads a key/value head
  int padded_dim;

  std::int64_t position(const Task& task, int r) const {
    return task.sequence->first_position + (task.row + r) / group;
  }
  std::int64_t first_seen(std::int64_t position) const {
    return rules.window > 0 ? std::max<std::int64_t>(0, position - rules.window + 1) : 0;
  }
  std::int64_t head(const Task& task, int r) const {
    return task.kv_head * group + (task.row + r) % group;
  }
  std::int64_t matrix_row(const Task& task, int r) const {
    return task.sequence->first_row + (task.row + r) / group;
  }
  // Floats that one chunk's result takes: largest (rows), sum (rows), mix (rows, padded_dim).
  std::size_t partial_size(const Task& task) const {
    return static_cast<std::size_t>(task.rows) * static_cast<std::size_t>(padded_dim + 2);
  }
};

TilePartial partial_at(float* at, int rows) { return {at, at + rows, at + 2 * rows}; }

// A thread's memory for one task at a time.
class Scratch {
 public:
  // q, scores, a chunk's values as floats, and two partials.
  void reserve(const Call& call) {
    const auto dim = static_cast<std::size_t>(call.padded_dim);
    // A page's keys as floats take less than a chunk's values.
    memory_.reserve_scratch(kTileRows * (dim + kChunkTokens + 2 * (dim + 2)) + kChunkTokens * dim);
    q = memory_.data();
    scores = q + kTileRows * dim;
    floats = scores + kTileRows * kChunkTokens;
    chunk = floats + kChunkTokens * dim;
    total = chunk + kTileRows * (dim + 2);
  }
  float *q = nullptr, *scores = nullptr, *floats = nullptr, *chunk = nullptr, *total = nullptr;
  float slopes[kTileRows], offsets[kTileRows];
  std::vector<float> biases;  // (kTileRows, kChunkTokens), where there are any
  int first[kTileRows], last[kTileRows];

 private:
  AlignedArray<float> memory_;
};

Scratch& scratch_of_thread(const Call& call) {
  thread_local Scratch scratch;
  scratch.reserve(call);
  return scratch;
}

void gather_queries(const Call& call, const Task& task, Scratch& scratch) {
  const auto dim = static_cast<std::size_t>(call.layout.head_dim);
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t head = call.head(task, r);
    std::memcpy(scratch.q + static_cast<std::size_t>(r) * dim,
                call.q.row_data(call.matrix_row(task, r)) + head * call.layout.head_dim,
                dim * sizeof(float));
    if (!call.rules.slopes.empty())
      scratch.slopes[r] = call.rules.slopes[static_cast<std::size_t>(head)];
  }
}

// ALiBi as Falcon rounds it, relative to the row's own position.
void fill_rounded_biases(const Call& call, const Task& task, std::int64_t start, Scratch& scratch) {
  scratch.biases.resize(kTileRows * kChunkTokens);
  for (int r = 0; r < task.rows; ++r) {
    const float slope = to_float(to_bf16(scratch.slopes[r]));
    const auto bias = [&](std::int64_t p) {
      return call.rules.rounded_slope_scale * to_float(to_bf16(slope * static_cast<float>(p)));
    };
    const std::int64_t origin = call.rules.sinks.empty() ? call.position(task, r) : 0;
    const float own = bias(origin);
    for (int i = 0; i < kChunkTokens; ++i)
      scratch.biases[static_cast<std::size_t>(r * kChunkTokens + i)] = bias(start + i) - own;
  }
}

void run_chunk(const Call& call, const Task& task, std::int64_t chunk, Scratch& scratch,
               const TilePartial& result) {
  const std::int64_t start = chunk * kChunkTokens;
  AttentionTile tile{};
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t position = call.position(task, r);
    const auto within = [&](std::int64_t p) {
      return static_cast<int>(std::clamp<std::int64_t>(p - start, 0, kChunkTokens));
    };
    scratch.first[r] = within(call.first_seen(position));
    scratch.last[r] = within(position + 1);
    // A shift of all scores changes nothing but a sink's share; near the token floats are finest.
    const std::int64_t origin = call.rules.sinks.empty() ? position : 0;
    scratch.offsets[r] = static_cast<float>(start - origin);
  }
  const auto& pages = task.sequence->pages;
  const auto head_offset = static_cast<std::size_t>(task.kv_head) * call.page.head_bytes;
  const std::size_t blocks = chunk + 1 < task.last_chunk ? 2 * kChunkPages : kChunkPages;
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t p = static_cast<std::size_t>(chunk) * kChunkPages + i;
    if (p < pages.size() && pages[p] != nullptr) tile.blocks[i] = pages[p] + head_offset;
  }
  tile.type = call.layout.type;
  tile.head_dim = call.layout.head_dim;
  tile.padded_dim = call.padded_dim;
  tile.key_scales = call.page.key_scales;
  tile.values = call.page.values;
  tile.value_stride = call.page.value_stride;
  tile.value_scales = call.page.value_scales;
  tile.rows = task.rows;
  tile.q = scratch.q;
  tile.first = scratch.first;
  tile.last = scratch.last;
  tile.scale = call.rules.scale;
  tile.cap = call.rules.soft_cap;
  if (!call.rules.slopes.empty()) {
    if (call.rules.rounded_slope_scale > 0) {
      fill_rounded_biases(call, task, start, scratch);
      tile.biases = scratch.biases.data();
    } else {
      tile.slopes = scratch.slopes;
    }
  }
  tile.offsets = scratch.offsets;
  tile.scores = scratch.scores;
  tile.floats = scratch.floats;
  tile.result = result;
  call.kernels.attend_chunk(tile);
}

TilePartial start_total(const Call& call, const Task& task, float* at) {
  const TilePartial total = partial_at(at, task.rows);
  std::fill_n(at, call.partial_size(task), 0.0f);
  std::fill_n(total.largest, task.rows, -INFINITY);
  return total;
}
void finish(const Call& call, const Task& task, const TilePartial& total) {
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t head = call.head(task, r);
    const float* sink =
        call.rules.sinks.empty() ? nullptr : &call.rules.sinks[static_cast<std::size_t>(head)];
    call.kernels.finish(total.largest[r], total.sum[r], total.mix + r * call.padded_dim, sink,
                        call.layout.head_dim,
                        call.out.row_data(call.matrix_row(task, r)) + head * call.layout.head_dim);
  }
}

void run_piece(const Call& call, const Task& task, const Piece& piece) {
  Scratch& scratch = scratch_of_thread(call);
  gather_queries(call, task, scratch);
  const std::size_t size = call.partial_size(task);
  if (piece.whole()) {
    const TilePartial total = start_total(call, task, scratch.total);
    const TilePartial chunk = partial_at(scratch.chunk, task.rows);
    for (std::int64_t c = piece.first_chunk; c < piece.last_chunk; ++c) {
      run_chunk(call, task, c, scratch, chunk);
      call.kernels.join(task.rows, call.padded_dim, chunk, total);
    }
    return finish(call, task, total);
  }
  const auto partial = [&](std::int64_t c) {
    return partial_at(piece.partials + static_cast<std::size_t>(c - task.first_chunk) * size,
                      task.rows);
  };
  for (std::int64_t c = piece.first_chunk; c < piece.last_chunk; ++c)
    run_chunk(call, task, c, scratch, partial(c));
  if (piece.missing->fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const TilePartial total = start_total(call, task, scratch.total);
  for (std::int64_t c = task.first_chunk; c < task.last_chunk; ++c)
    call.kernels.join(task.rows, call.padded_dim, partial(c), total);
  finish(call, task, total);
}

std::vector<Task> list_tasks(const Call& call, std::span<const AttentionSequence> sequences) {
  std::vector<Task> tasks;
  for (const auto& sequence : sequences)
    for (int head = 0; head < call.layout.kv_heads; ++head) {
      const std::int64_t rows = sequence.count * call.group;
      for (std::int64_t row = 0; row < rows; row += kTileRows) {
        Task task{.sequence = &sequence,
                  .kv_head = head,
                  .row = row,
                  .rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows - row))};
        task.first_chunk = call.first_seen(call.position(task, 0)) / kChunkTokens;
        task.last_chunk = call.position(task, task.rows - 1) / kChunkTokens + 1;
        tasks.push_back(task);
      }
    }
  return tasks;
}

// The tasks cut so that all threads get their share: a long context is cut by chunks.
class Plan {
 public:
  Plan(const Call& call, const std::vector<Task>& tasks, int threads) {
    std::int64_t work = 0;
    for (const Task& task : tasks) work += task.rows * task.chunks();
    const std::int64_t limit = threads == 1 ? work : work / (threads * kTasksPerThread);
    std::size_t floats = 0, cut_tasks = 0;
    for (const Task& task : tasks)
      if (piece_chunks(task, limit) < task.chunks()) {
        floats += static_cast<std::size_t>(task.chunks()) * call.partial_size(task);
        ++cut_tasks;
      }
    thread_local AlignedArray<float> memory;
    memory.reserve_scratch(floats);
    counters_ = std::vector<std::atomic<int>>(cut_tasks);
    add_pieces(call, tasks, limit, memory.data());
  }
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  static std::int64_t piece_chunks(const Task& task, std::int64_t limit) {
    return std::clamp<std::int64_t>(limit / task.rows, 1, task.chunks());
  }
  void add_pieces(const Call& call, const std::vector<Task>& tasks, std::int64_t limit,
                  float* partials) {
    std::size_t counter = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const Task& task = tasks[i];
      const std::int64_t size = piece_chunks(task, limit);
      if (size >= task.chunks()) {
        pieces_.push_back(
            {.task = i, .first_chunk = task.first_chunk, .last_chunk = task.last_chunk});
        continue;
      }
      std::atomic<int>& missing = counters_[counter++];
      for (std::int64_t c = task.first_chunk; c < task.last_chunk; c += size) {
        pieces_.push_back({i, c, std::min(task.last_chunk, c + size), partials, &missing});
        missing.fetch_add(1, std::memory_order_relaxed);
      }
      partials += static_cast<std::size_t>(task.chunks()) * call.partial_size(task);
    }
  }
  std::vector<Piece> pieces_;
  std::vector<std::atomic<int>> counters_;
};

}  // namespace

void attend(Runtime& runtime, const KvLayout& layout, const AttentionRules& rules,
            std::span<const AttentionSequence> sequences, MatrixView<const float> q,
            MatrixView<float> out) {
  assert(rules.heads % layout.kv_heads == 0);
  assert(q.cols == static_cast<std::int64_t>(rules.heads) * layout.head_dim && out.cols == q.cols);
  const KvPage page(layout);
  const Call call{.kernels = kernels_for(runtime),
                  .layout = layout,
                  .rules = rules,
                  .q = q,
                  .out = out,
                  .page = page,
                  .group = rules.heads / layout.kv_heads,
                  .padded_dim = static_cast<int>(page.padded_dim)};
  const std::vector<Task> tasks = list_tasks(call, sequences);
  const Plan plan(call, tasks, runtime.pool.size());
  runtime.parallel(static_cast<std::int64_t>(plan.pieces().size()), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (; begin < end; ++begin) {
                       const Piece& piece = plan.pieces()[static_cast<std::size_t>(begin)];
                       run_piece(call, tasks[piece.task], piece);
                     }
                   });
}

}  // namespace farthing::kernels
