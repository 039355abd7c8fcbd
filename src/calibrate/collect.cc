#include "calibrate/collect.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

namespace farthing::calibrate {
namespace {

using model::Site;
using model::Slot;

// The stage at which nothing further is wanted.
Slot last_stage(const Wanted& wanted) {
  Slot last = Slot::kNone;
  for (const Slot stage : kStages)
    for (const auto& [input, bits] : wanted)
      if (input.stage == stage && bits != 0) last = stage;
  return last;
}

bool is_linear_input(const Site& site) { return site.kind == Site::Kind::kLinearInput; }

// Keeps what enters the linears whose drift is wanted.
class Capture final : public model::Tap {
 public:
  explicit Capture(const Wanted& wanted) : wanted_(wanted), last_(last_stage(wanted)) {}
  bool wants(Site site) override {
    if (!is_linear_input(site) || site.expert >= 0) return false;
    const auto found = wanted_.find({site.slot, -1});
    return found != wanted_.end() && (found->second & kDrift) != 0;
  }
  void observe(Site site, const cache::Batch&, MatrixView<const float> values) override {
    const auto copy = kept_[site.slot].resize(values.rows, values.cols);
    for (std::int64_t r = 0; r < values.rows; ++r)
      std::copy_n(values.row_data(r), values.cols, copy.row_data(r));
  }
  Slot last() const override { return last_; }
  MatrixView<const float> kept(Slot stage) const {
    const auto found = kept_.find(stage);
    return found == kept_.end() ? MatrixView<const float>{} : found->second.view();
  }

 private:
  const Wanted& wanted_;
  Slot last_;
  std::map<Slot, Matrix<float>> kept_;
};

class Collector final : public model::Tap {
 public:
  Collector(Runtime& runtime, const Wanted& wanted, const SampleRows& samples, double& seconds)
      : runtime_(runtime),
        wanted_(wanted),
        samples_(samples),
        seconds_(seconds),
        last_(last_stage(wanted)) {}
  bool wants(Site site) override {
    return is_linear_input(site) && wanted_.contains({site.slot, site.expert});
  }
  void observe(Site site, const cache::Batch& batch, MatrixView<const float> values) override {
    const Timed timed(seconds_);
    const InputOf input{site.slot, site.expert};
    unsigned bits = wanted_.at(input);
    if (site.expert >= 0) bits &= ~static_cast<unsigned>(kDrift);
    auto& sum = sums_[input];
    if (sum == nullptr)
      sum = std::make_unique<Accumulator>(values.cols, bits, samples_.tokens(),
                                          samples_.first_weight);
    std::vector<std::int64_t> first_rows;  // of an expert's rows it is not known
    if (site.expert < 0)
      for (const cache::SequenceSlice& slice : batch.sequences)
        if (slice.first_position == 0) first_rows.push_back(slice.first_row);
    sum->add(runtime_, values,
             reference_ == nullptr ? MatrixView<const float>{} : reference_->kept(site.slot),
             first_rows);
  }
  Slot last() const override { return last_; }
  void set_reference(const Capture* reference) { reference_ = reference; }
  Collected finish() {
    const Timed timed(seconds_);
    Collected all;
    for (auto& [input, sum] : sums_) all.emplace(input, sum->finish(runtime_));
    return all;
  }

 private:
  Runtime& runtime_;
  const Wanted& wanted_;
  const SampleRows& samples_;
  double& seconds_;
  Slot last_;
  const Capture* reference_ = nullptr;
  std::map<InputOf, std::unique_ptr<Accumulator>> sums_;
};

}  // namespace

Slot stage_of(Slot slot) {
  switch (slot) {
    case Slot::kQkv:
    case Slot::kQ:
    case Slot::kK:
    case Slot::kV:
      return Slot::kQ;
    case Slot::kO:
      return Slot::kO;
    case Slot::kGate:
    case Slot::kUp:
    case Slot::kGateUp:
    case Slot::kExpertGate:
    case Slot::kExpertUp:
    case Slot::kExpertGateUp:
      return Slot::kGate;
    case Slot::kDown:
    case Slot::kExpertDown:
      return Slot::kDown;
    default:
      return Slot::kNone;
  }
}

std::int64_t SampleRows::tokens() const {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

std::vector<BlockRunner::Chunk> BlockRunner::chunks() const {
  std::vector<Chunk> chunks;
  std::int64_t row = 0;
  for (const std::int64_t length : samples_.lengths) {
    if (chunks.empty() || chunks.back().rows + length > kChunkTokens)
      chunks.push_back({.first_row = row, .rows = 0, .slices = {}});
    Chunk& chunk = chunks.back();
    chunk.slices.push_back({.sequence = static_cast<int>(chunk.slices.size()),
                            .first_row = chunk.rows,
                            .count = length,
                            .first_position = 0});
    chunk.rows += length;
    row += length;
  }
  return chunks;
}

void BlockRunner::embed(model::Model& model, std::span<const cache::Token> tokens,
                        HiddenStates& states) {
  for (const Chunk& chunk : chunks()) {
    const cache::Batch batch{.tokens = tokens.subspan(static_cast<std::size_t>(chunk.first_row),
                                                      static_cast<std::size_t>(chunk.rows)),
                             .sequences = chunk.slices,
                             .rows_wanting_logits = {}};
    model.embed(runtime_, batch, states.view().rows_from(chunk.first_row, chunk.rows));
  }
}

void BlockRunner::run(model::Model& model, int layer, const Chunk& chunk, MatrixView<float> states,
                      model::Tap* tap) {
  const Stopwatch watch;
  const double before = times_.statistics;
  cache::PagedKv kv = model.make_cache(kv_);
  kv.hold_only(layer, layer + 1);
  std::vector<cache::SequenceSlice> slices = chunk.slices;
  for (cache::SequenceSlice& slice : slices) {
    slice.sequence = kv.open();
    kv.extend(slice.sequence, slice.count);
  }
  const cache::Batch batch{.tokens = {}, .sequences = slices, .rows_wanting_logits = {}};
  model.run_blocks(runtime_, batch, kv, layer, layer + 1, states, tap);
  times_.forward += watch.seconds() - (times_.statistics - before);
}

void BlockRunner::advance(model::Model& model, int layer, HiddenStates& states, model::Tap* tap) {
  for (const Chunk& chunk : chunks())
    run(model, layer, chunk, states.view().rows_from(chunk.first_row, chunk.rows), tap);
}

Collected BlockRunner::collect(model::Model& model, int layer, const HiddenStates& states,
                               const Wanted& wanted, const Reference* reference) {
  Collector collector(runtime_, wanted, samples_, times_.statistics);
  const auto copy_of = [&](const HiddenStates& from, const Chunk& chunk) {
    const auto rows = from.view().rows_from(chunk.first_row, chunk.rows);
    const auto to = scratch_.resize(rows.rows, rows.cols);
    std::copy_n(rows.data, rows.rows * rows.cols, to.data);
    return to;
  };
  for (const Chunk& chunk : chunks()) {
    Capture capture(wanted);
    if (reference != nullptr) {
      run(reference->model, layer, chunk, copy_of(reference->states, chunk), &capture);
      collector.set_reference(&capture);
    }
    run(model, layer, chunk, copy_of(states, chunk), &collector);
  }
  return collector.finish();
}

LinearStatistics BlockRunner::collect_head(model::Model& model, const HiddenStates& states,
                                           unsigned wanted, const Reference* reference) {
  const Timed timed(times_.statistics);
  std::optional<Accumulator> sum;
  for (const Chunk& chunk : chunks()) {
    const auto inputs_of = [&](model::Model& from, const HiddenStates& at) {
      return from.head_inputs(runtime_, at.view().rows_from(chunk.first_row, chunk.rows));
    };
    const auto x = inputs_of(model, states);
    if (!sum) sum.emplace(x.cols, wanted, samples_.tokens());
    sum->add(runtime_, x,
             reference == nullptr ? MatrixView<const float>{}
                                  : inputs_of(reference->model, reference->states));
  }
  return sum->finish(runtime_);
}

}  // namespace farthing::calibrate
