#include "kernels/attention/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/memory.h"
#include "kernels/attention/attention_plan.h"
#include "kernels/attention/tile_kernels.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

// Best first.
template <class Kernels>
struct Row {
  Isa isa;
  const Kernels* kernels;
};
constexpr Row<TileKernels> kTileTable[] = {
#if defined(__x86_64__)
    {Isa::kAvx512, &kTileKernelsAvx512},
    {Isa::kAvx2, &kTileKernelsAvx2},
#elif defined(__aarch64__)
    {Isa::kNeon, &kTileKernelsNeon},
#endif
    {Isa::kScalar, &kTileKernelsScalar},
};
constexpr Row<CodeKernels> kCodeTable[] = {
#if defined(__x86_64__)
    {Isa::kAvx512Vnni, &kCodeKernelsAvx512Vnni}, {Isa::kAvx512, &kCodeKernelsAvx512},
    {Isa::kAvxVnni, &kCodeKernelsAvxVnni},       {Isa::kAvx2, &kCodeKernelsAvx2},
#elif defined(__aarch64__)
    {Isa::kNeonI8mm, &kCodeKernelsNeonI8mm},
    {Isa::kNeonDot, &kCodeKernelsNeonDot},
    {Isa::kNeon, &kCodeKernelsNeon},
#endif
    {Isa::kScalar, &kCodeKernelsScalar},
};
template <class Kernels, std::size_t kCount>
const Kernels& kernels_for(const Runtime& runtime, const Row<Kernels> (&table)[kCount]) {
  for (const auto& row : table)
    if (runtime.isas.has(row.isa)) return *row.kernels;
  return *table[kCount - 1].kernels;
}

// Everything about one call that its tasks share.
struct Call {
  const TileKernels& kernels;
  const CodeKernels& code_kernels;
  const KvLayout& layout;
  const AttentionRules& rules;
  MatrixView<const float> q;
  MatrixView<float> out;
  KvPage page;
  int padded_dim;
  bool in_codes() const { return layout.type == KvType::kInt8; }
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
    if (!call.in_codes()) return;
    const auto query = static_cast<std::size_t>(kTileRows * code_dwords(call.padded_dim));
    codes_.reserve_scratch(query + kTileRows * code_dwords(kChunkTokens));
    queries = codes_.data();
    weights = queries + query;
  }
  float *q = nullptr, *scores = nullptr, *floats = nullptr, *chunk = nullptr, *total = nullptr;
  std::int32_t *queries = nullptr, *weights = nullptr;
  float scales[kTileRows], largest_weights[kTileRows], slopes[kTileRows], offsets[kTileRows];
  std::int32_t query_folds[kTileRows];
  std::vector<float> biases;  // (kTileRows, kChunkTokens), where there are any
  int first[kTileRows], last[kTileRows];

 private:
  AlignedArray<float> memory_;
  AlignedArray<std::int32_t> codes_;
};

Scratch& scratch_of_thread(const Call& call) {
  thread_local Scratch scratch;
  scratch.reserve(call);
  return scratch;
}

void gather_queries(const Call& call, const AttentionTask& task, Scratch& scratch) {
  const auto dim = static_cast<std::size_t>(call.layout.head_dim);
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t head = task.head(r);
    const float* q = call.q.row_data(task.matrix_row(r)) + head * call.layout.head_dim;
    scratch.scales[r] = call.rules.scale;
    if (call.in_codes()) {
      const RoundedRow rounded = call.code_kernels.round_query(
          q, call.layout.head_dim, scratch.queries + r * code_dwords(call.padded_dim));
      scratch.scales[r] *= rounded.scale;
      scratch.query_folds[r] = rounded.fold;
    } else {
      std::memcpy(scratch.q + static_cast<std::size_t>(r) * dim, q, dim * sizeof(float));
    }
    if (!call.rules.slopes.empty())
      scratch.slopes[r] = call.rules.slopes[static_cast<std::size_t>(head)];
  }
}

// ALiBi as Falcon rounds it, relative to the row's own position.
void fill_rounded_biases(const Call& call, const AttentionTask& task, std::int64_t start,
                         Scratch& scratch) {
  scratch.biases.resize(kTileRows * kChunkTokens);
  for (int r = 0; r < task.rows; ++r) {
    const float slope = to_float(to_bf16(scratch.slopes[r]));
    const auto bias = [&](std::int64_t p) {
      return call.rules.rounded_slope_scale * to_float(to_bf16(slope * static_cast<float>(p)));
    };
    const std::int64_t origin = call.rules.sinks.empty() ? task.position(r) : 0;
    const float own = bias(origin);
    for (int i = scratch.first[r]; i < scratch.last[r]; ++i)  // what lies outside is masked
      scratch.biases[static_cast<std::size_t>(r * kChunkTokens + i)] = bias(start + i) - own;
  }
}

void run_chunk(const Call& call, const AttentionTask& task, const AttentionPiece& piece,
               std::int64_t chunk, Scratch& scratch, const TilePartial& result) {
  const std::int64_t start = chunk * kChunkTokens;
  AttentionTile tile{};
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t position = task.position(r);
    const auto within = [&](std::int64_t p) {
      return static_cast<int>(std::clamp<std::int64_t>(p - start, 0, kChunkTokens));
    };
    scratch.first[r] = within(task.first_seen(r));
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
  tile.cold = chunk == piece.first_chunk;
  tile.type = call.layout.type;
  tile.head_dim = call.layout.head_dim;
  tile.padded_dim = call.padded_dim;
  tile.key_scales = call.page.key_scales;
  tile.values = call.page.values;
  tile.value_stride = call.page.value_stride;
  tile.value_scales = call.page.value_scales;
  tile.rows = task.rows;
  tile.q = scratch.q;
  tile.queries = scratch.queries;
  tile.query_folds = scratch.query_folds;
  tile.first = scratch.first;
  tile.last = scratch.last;
  tile.scales = scratch.scales;
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
  tile.largest_weights = scratch.largest_weights;
  tile.floats = scratch.floats;
  tile.weights = scratch.weights;
  tile.result = result;
  call.in_codes() ? call.code_kernels.attend_chunk(tile) : call.kernels.attend_chunk(tile);
}

TilePartial start_total(const Call& call, const AttentionTask& task, float* at) {
  const TilePartial total = partial_at(at, task.rows);
  std::fill_n(at, partial_floats(task.rows, call.padded_dim), 0.0f);
  std::fill_n(total.largest, task.rows, -INFINITY);
  return total;
}
void finish(const Call& call, const AttentionTask& task, const TilePartial& total) {
  for (int r = 0; r < task.rows; ++r) {
    const std::int64_t head = task.head(r);
    const float* sink =
        call.rules.sinks.empty() ? nullptr : &call.rules.sinks[static_cast<std::size_t>(head)];
    call.kernels.finish(total.largest[r], total.sum[r], total.mix + r * call.padded_dim, sink,
                        call.layout.head_dim,
                        call.out.row_data(task.matrix_row(r)) + head * call.layout.head_dim);
  }
}

void run_piece(const Call& call, const AttentionTask& task, const AttentionPiece& piece) {
  Scratch& scratch = scratch_of_thread(call);
  gather_queries(call, task, scratch);
  const std::size_t size = partial_floats(task.rows, call.padded_dim);
  if (piece.whole()) {
    const TilePartial total = start_total(call, task, scratch.total);
    const TilePartial chunk = partial_at(scratch.chunk, task.rows);
    for (std::int64_t c = piece.first_chunk; c < piece.last_chunk; ++c) {
      run_chunk(call, task, piece, c, scratch, chunk);
      call.kernels.join(task.rows, call.padded_dim, chunk, total);
    }
    return finish(call, task, total);
  }
  const auto partial = [&](std::int64_t c) {
    return partial_at(piece.partials + static_cast<std::size_t>(c - task.first_chunk) * size,
                      task.rows);
  };
  for (std::int64_t c = piece.first_chunk; c < piece.last_chunk; ++c)
    run_chunk(call, task, piece, c, scratch, partial(c));
  if (piece.missing->fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const TilePartial total = start_total(call, task, scratch.total);
  for (std::int64_t c = task.first_chunk; c < task.last_chunk; ++c)
    call.kernels.join(task.rows, call.padded_dim, partial(c), total);
  finish(call, task, total);
}

}  // namespace

void attend(Runtime& runtime, const KvLayout& layout, const AttentionRules& rules,
            std::span<const AttentionSequence> sequences, MatrixView<const float> q,
            MatrixView<float> out) {
  assert(rules.heads % layout.kv_heads == 0);
  assert(q.cols == static_cast<std::int64_t>(rules.heads) * layout.head_dim && out.cols == q.cols);
  const KvPage page(layout);
  const Call call{.kernels = kernels_for(runtime, kTileTable),
                  .code_kernels = kernels_for(runtime, kCodeTable),
                  .layout = layout,
                  .rules = rules,
                  .q = q,
                  .out = out,
                  .page = page,
                  .padded_dim = static_cast<int>(page.padded_dim)};
  const AttentionPlan plan(layout, rules, sequences, runtime.pool.size());
  runtime.parallel(static_cast<std::int64_t>(plan.pieces().size()), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (; begin < end; ++begin) {
                       const AttentionPiece& piece = plan.pieces()[static_cast<std::size_t>(begin)];
                       run_piece(call, plan.tasks()[piece.task], piece);
                     }
                   });
}

}  // namespace farthing::kernels
