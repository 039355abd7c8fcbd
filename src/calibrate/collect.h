// Taps that look at what enters the linears of one block, and running a block over all samples.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "calibrate/hidden_states.h"
#include "calibrate/statistics.h"
#include "calibrate/work_times.h"
#include "core/progress.h"
#include "model/model.h"

namespace farthing::calibrate {

// The inputs that linears share: of q, k and v (kQ), of o (kO), of gate and up (kGate), of down
// (kDown). A stage of a block is what reads one of them.
inline constexpr model::Slot kStages[] = {model::Slot::kQ, model::Slot::kO, model::Slot::kGate,
                                          model::Slot::kDown};
// The stage that a linear of a block belongs to; kNone for a router.
model::Slot stage_of(model::Slot slot);

struct InputOf {
  model::Slot stage = model::Slot::kNone;
  int expert = -1;
  auto operator<=>(const InputOf&) const = default;
};
// Statistics that are wanted of each input, as bits of Statistic.
using Wanted = std::map<InputOf, unsigned>;
using Collected = std::map<InputOf, LinearStatistics>;

// Sequences that lie one after the other in the rows of HiddenStates.
struct SampleRows {
  std::vector<std::int64_t> lengths;
  // What the first token of a sample counts in squares, Hessian and drift, others counting 1. The
  // first token draws the attention that finds nothing else, so an error in it reaches all tokens.
  double first_weight = kFirstWeight;
  std::int64_t tokens() const;
};

// Runs one block over samples, a chunk of about kChunkTokens tokens at a time.
class BlockRunner {
 public:
  static constexpr std::int64_t kChunkTokens = 2048;

  BlockRunner(Runtime& runtime, const SampleRows& samples, kernels::KvType kv)
      : runtime_(runtime), samples_(samples), kv_(kv) {}

  // The embeddings of the tokens (of all samples, one after the other).
  void embed(model::Model& model, std::span<const cache::Token> tokens, HiddenStates& states);
  // states := block(states), which `tap` may watch.
  void advance(model::Model& model, int layer, HiddenStates& states, model::Tap* tap = nullptr);
  // What enters the linears of the block; states stay. reference: the float model and its states,
  // needed for kDrift (of dense linears; experts see other tokens there and get none).
  struct Reference {
    model::Model& model;
    HiddenStates& states;
  };
  Collected collect(model::Model& model, int layer, const HiddenStates& states,
                    const Wanted& wanted, const Reference* reference = nullptr);
  // What enters the head when the states have been through all blocks. No token counts more than
  // others: an error in the head reaches none but its own.
  LinearStatistics collect_head(model::Model& model, const HiddenStates& states, unsigned wanted,
                                const Reference* reference = nullptr);
  // Forward passes and statistics so far.
  const WorkTimes& times() const { return times_; }

 private:
  struct Chunk {
    std::int64_t first_row = 0, rows = 0;
    std::vector<cache::SequenceSlice> slices;
  };
  std::vector<Chunk> chunks() const;
  void run(model::Model& model, int layer, const Chunk& chunk, MatrixView<float> states,
           model::Tap* tap);

  Runtime& runtime_;
  const SampleRows& samples_;
  kernels::KvType kv_;
  Matrix<float> scratch_;
  WorkTimes times_;
};

}  // namespace farthing::calibrate
