#include "bench/model_bench.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace farthing::bench {
namespace {

// Multiplications and additions of a token's matrices, the head included when it wants logits.
double ops_per_token(const model::Model& model, bool head) {
  const model::ModelConfig& c = model.config();
  double weights = head ? static_cast<double>(c.vocab * c.embedding_dim) : 0;
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const double attention = static_cast<double>(c.hidden * (2 * c.q_width() + 2 * c.kv_width()));
    const double mlp = static_cast<double>(c.hidden * (c.block.gated ? 3 : 2));
    weights +=
        attention + (c.sparse(layer)
                         ? mlp * static_cast<double>(c.expert_intermediate * c.experts_per_token)
                         : mlp * static_cast<double>(c.intermediate));
  }
  return 2 * weights;
}

// The peak of the mode that most of the model computes in.
double compute_roof(model::Model& model, const Roofs& roofs) {
  switch (model.blocks().block(0).mlp.down
              ? model.blocks().block(0).mlp.down.parts()[0].activations().mode
              : model.blocks().block(0).o.parts()[0].activations().mode) {
    case ActivationMode::kInt8:
      return roofs.int8_gop_s;
    case ActivationMode::kInt16:
      return roofs.int8_gop_s / 2;
    case ActivationMode::kBf16:
      return roofs.bf16_gflop_s;
    case ActivationMode::kF32:
      return roofs.fp32_gflop_s;
  }
  return roofs.fp32_gflop_s;
}

class Bench {
 public:
  Bench(Runtime& runtime, model::Model& model, kernels::KvType kv)
      : runtime_(runtime), model_(model), kv_type_(kv), random_(1) {}

  // Seconds to take `tokens` into an empty cache, with logits of the last.
  double prefill(std::int64_t tokens) {
    cache::PagedKv kv = model_.make_cache(kv_type_);
    const std::vector<int> sequences = {kv.open()};
    const auto start = Clock::now();
    feed(kv, sequences, 0, tokens);
    return seconds_since(start);
  }

  // Seconds to decode `tokens` for each of `batch` sequences that hold `context` tokens.
  double decode(std::int64_t batch, std::int64_t context, std::int64_t tokens) {
    cache::PagedKv kv = model_.make_cache(kv_type_);
    std::vector<int> sequences;
    for (std::int64_t b = 0; b < batch; ++b) sequences.push_back(kv.open());
    for (int sequence : sequences)
      if (context > 0) feed(kv, {sequence}, 0, context);
    const auto start = Clock::now();
    for (std::int64_t t = 0; t < tokens; ++t) feed(kv, sequences, context + t, 1);
    return seconds_since(start);
  }

 private:
  void feed(cache::PagedKv& kv, const std::vector<int>& sequences, cache::Position position,
            std::int64_t count) {
    constexpr std::int64_t kChunk = 512;
    for (std::int64_t done = 0; done < count; done += kChunk) {
      const std::int64_t now = std::min(kChunk, count - done);
      std::vector<cache::Token> tokens;
      std::vector<cache::SequenceSlice> slices;
      std::vector<std::int64_t> rows;
      for (int sequence : sequences) {
        slices.push_back(
            {sequence, static_cast<std::int64_t>(tokens.size()), now, position + done});
        for (std::int64_t t = 0; t < now; ++t)
          tokens.push_back(static_cast<cache::Token>(
              random_.below(static_cast<std::uint64_t>(model_.config().vocab))));
        if (done + now == count) rows.push_back(static_cast<std::int64_t>(tokens.size()) - 1);
      }
      model_.forward(runtime_, {tokens, slices, rows}, kv,
                     [](std::int64_t, MatrixView<const float>) {});
    }
  }

  Runtime& runtime_;
  model::Model& model_;
  kernels::KvType kv_type_;
  Random random_;
};

}  // namespace

std::vector<BenchRow> bench_model(Runtime& runtime, model::Model& model, kernels::KvType kv,
                                  const Roofs& roofs, const BenchOptions& o, Progress& progress) {
  const std::int64_t limit = model.config().max_positions;
  const auto need = [&](std::int64_t tokens) {
    if (tokens > limit)
      usage_error("a bench of {} tokens needs more than the model's context of {}; ask for fewer",
                  tokens, limit);
  };
  for (std::int64_t prompt : o.prompts) need(prompt);
  for (std::int64_t context : o.contexts) need(context + o.generated);
  Bench bench(runtime, model, kv);
  ReadProbe probe(runtime);
  const auto total =
      static_cast<std::int64_t>(o.prompts.size() + o.batches.size() * o.contexts.size());
  std::vector<BenchRow> rows;
  const double compute = compute_roof(model, roofs);
  for (std::int64_t prompt : o.prompts) {
    std::vector<double> speeds;
    bench.prefill(std::min<std::int64_t>(prompt, 32));  // warms the buffers
    for (int r = 0; r < o.repeats; ++r)
      speeds.push_back(static_cast<double>(prompt) / bench.prefill(prompt));
    BenchRow row{.test = fmt::format("pp{}", prompt),
                 .batch = 1,
                 .context = 0,
                 .tokens_per_s = spread_of(speeds),
                 .gb_s = 0,
                 .gop_s = 0,
                 .bound = "compute",
                 .share_of_roof = 0};
    row.gop_s = row.tokens_per_s.median * ops_per_token(model, false) / 1e9;
    row.gb_s = row.tokens_per_s.median / static_cast<double>(prompt) *
               static_cast<double>(model.bytes_read_per_token()) / 1e9;
    row.share_of_roof = row.gop_s / compute;
    rows.push_back(row);
    progress.update("tests", static_cast<std::int64_t>(rows.size()), total);
  }
  const kernels::KvLayout layout = model.make_cache(kv).layout();
  for (std::int64_t context : o.contexts)
    for (std::int64_t batch : o.batches) {
      std::vector<double> speeds, shares;
      const double kv_bytes =
          static_cast<double>(layout.bytes_per_token()) *
          static_cast<double>(model.config().layers) *
          (static_cast<double>(context) + static_cast<double>(o.generated) / 2) *
          static_cast<double>(batch);
      const double step_gb = (static_cast<double>(model.bytes_read_per_token()) + kv_bytes) / 1e9;
      const double step_gop = ops_per_token(model, true) * static_cast<double>(batch) / 1e9;
      bench.decode(batch, 0, 2);
      for (int r = 0; r < o.repeats; ++r) {
        const double read = probe.gb_per_s();
        const double steps =
            static_cast<double>(o.generated) / bench.decode(batch, context, o.generated);
        speeds.push_back(steps * static_cast<double>(batch));
        shares.push_back(std::max(steps * step_gb / read, steps * step_gop / compute));
      }
      BenchRow row{.test = fmt::format("tg{}{}", o.generated,
                                       context > 0 ? fmt::format("@{}", context) : ""),
                   .batch = batch,
                   .context = context,
                   .tokens_per_s = spread_of(speeds),
                   .gb_s = 0,
                   .gop_s = 0,
                   .bound = "",
                   .share_of_roof = median(shares)};
      row.gb_s = row.tokens_per_s.median / static_cast<double>(batch) * step_gb;
      row.gop_s = row.tokens_per_s.median / static_cast<double>(batch) * step_gop;
      row.bound = row.gb_s / roofs.read_gb_s >= row.gop_s / compute ? "memory" : "compute";
      rows.push_back(row);
      progress.update("tests", static_cast<std::int64_t>(rows.size()), total);
    }
  return rows;
}

}  // namespace farthing::bench
