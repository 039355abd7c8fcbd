#include "bench/driver.h"

#include <algorithm>

#include "bench/measure.h"

namespace farthing::bench {
namespace {

constexpr std::int64_t kChunk = 512;

// Operations for one token; no bytes.
Work work_of(const model::LinearGroup& group) {
  Work work;
  for (const kernels::Linear& part : group.parts())
    work.operations[index(part.activations().mode)] +=
        2 * static_cast<double>(part.in()) * static_cast<double>(part.out());
  return work;
}

Work work_of(const model::BlockWeights& block, std::int64_t experts_per_token) {
  Work work = work_of(block.qkv);
  for (const auto* group : {&block.o, &block.mlp.gate_up, &block.mlp.down, &block.router})
    work += work_of(*group);
  if (block.experts.empty()) return work;
  Work expert = work_of(block.experts[0].gate_up);
  expert += work_of(block.experts[0].down);
  return work += expert.times(static_cast<double>(experts_per_token));
}

}  // namespace

Driver::Driver(Runtime& runtime, model::Model& model, kernels::KvType kv)
    : runtime_(runtime),
      model_(model),
      kv_type_(kv),
      kv_bytes_per_token_(model.make_cache(kv).layout().bytes_per_token()),
      head_(work_of(model.head_weights())) {
  for (int layer = 0; layer < model.config().layers; ++layer)
    token_ += work_of(model.blocks().block(layer), model.config().experts_per_token);
}

Driver::Sequences Driver::open(std::int64_t count, std::int64_t context) {
  Sequences sequences(model_.make_cache(kv_type_));
  for (std::int64_t i = 0; i < count; ++i) sequences.handles_.push_back(sequences.kv_.open());
  if (context > 0) feed(sequences, context);
  return sequences;
}

double Driver::feed(Sequences& sequences, std::int64_t tokens) {
  const auto start = Clock::now();
  // Together they would be more tokens a pass than a chunk has.
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunk / sequences.count());
  for (std::int64_t done = 0; done < tokens; done += chunk)
    pass(sequences, std::min(chunk, tokens - done));
  return seconds_since(start);
}

void Driver::rewind(Sequences& sequences, std::int64_t length) {
  const auto& windows = model_.config().windows;
  if (std::ranges::any_of(windows, [](std::int64_t window) { return window > 0; })) {
    sequences = open(sequences.count(), length);
    return;
  }
  for (int handle : sequences.handles_) sequences.kv_.truncate(handle, length);
  sequences.length_ = length;
}

void Driver::pass(Sequences& sequences, std::int64_t count) {
  std::vector<cache::Token> tokens;
  std::vector<cache::SequenceSlice> slices;
  std::vector<std::int64_t> rows;
  for (int handle : sequences.handles_) {
    slices.push_back({handle, std::ssize(tokens), count, sequences.length_});
    for (std::int64_t t = 0; t < count; ++t)
      tokens.push_back(static_cast<cache::Token>(
          random_.below(static_cast<std::uint64_t>(model_.config().vocab))));
    rows.push_back(std::ssize(tokens) - 1);
  }
  model_.forward(runtime_, {tokens, slices, rows}, sequences.kv_,
                 [](std::int64_t, MatrixView<const float>) {});
  sequences.length_ += count;
}

Work Driver::work(std::int64_t batch, std::int64_t tokens, std::int64_t context) const {
  const auto sequences = static_cast<double>(batch);
  Work work = token_.times(sequences * static_cast<double>(tokens));
  work += head_.times(sequences);
  // Weights once a chunk; keys and values of what each pass sees, as if it read them once.
  const std::int64_t passes = (batch * tokens + kChunk - 1) / kChunk;
  work.bytes = static_cast<double>(passes) * model_.bytes_read(batch * tokens / passes);
  for (std::int64_t window : model_.config().windows) {
    const std::int64_t seen = window > 0 ? std::min(context + tokens, window) : context + tokens;
    work.bytes += sequences * static_cast<double>(seen) * static_cast<double>(kv_bytes_per_token_);
  }
  return work;
}

double Driver::memory(std::int64_t batch, std::int64_t length) const {
  const model::ModelConfig& c = model_.config();
  const double kv = static_cast<double>(batch) * static_cast<double>(length) *
                    static_cast<double>(kv_bytes_per_token_) * static_cast<double>(c.layers);
  const double rows = std::max(static_cast<double>(batch), static_cast<double>(kChunk));
  const auto width =
      static_cast<double>(6 * c.hidden + 2 * c.q_width() + 2 * c.kv_width() + 3 * c.intermediate);
  return kv + 4 * rows * width;
}

}  // namespace farthing::bench
