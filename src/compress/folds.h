// Where a scale of the inputs of linears can be folded into what feeds them, so that the model's
// function stays: the architecture's rows say which norm or linear that is (TensorRow::fed_by).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/block.h"

namespace farthing::compress {

struct Fold {
  // kAttentionNorm, kMlpNorm, kV or kUp; kNone: the consumers multiply their inputs themselves
  model::Slot producer = model::Slot::kNone;
  model::Slot stage = model::Slot::kNone;    // of the consumers' inputs
  int expert = -1;                           // whose up feeds its down
  std::vector<BlockMatrix*> consumers = {};  // all that read it, routers too
  // Input j is channel channel_of[j] of the producer: grouped queries read a value head together.
  std::vector<std::int32_t> channel_of = {};
  std::int64_t channels = 0;
  std::string name;  // the producer's, for messages
};

// The folds of a block that keep the function: not where the producer's output is read by something
// else (a residual stream behind a post-norm), nor through an activation that is not linear in it.
std::vector<Fold> folds_of(Block& block);

// Whether a linear's inputs have no fold: nothing before it can take scales.
bool stands_alone(const model::TensorMap& map, const model::TensorUnit& unit);
// For the linears of the plan that multiply their inputs, those of one input together.
std::vector<Fold> multiplied_of(Block& block);

// What enters a fold's consumers: of experts that share a norm, the one that most tokens reached
// stands for all. Null when nothing was collected.
const calibrate::LinearStatistics* inputs_of(const Block& block, const Fold& fold);

// The scales with the least error of those that a search offers.
class BestScales {
 public:
  // Not scaled at all, with its error.
  BestScales(std::int64_t channels, double error)
      : scales_(static_cast<std::size_t>(channels), 1.0f), error_(error) {}
  void offer(std::vector<float> scales, double error) {
    if (!(error < error_)) return;
    error_ = error;
    scales_ = std::move(scales);
  }
  std::span<const float> scales() const { return scales_; }

 private:
  std::vector<float> scales_;
  double error_;
};

// Divides the producer's channels by `scales` (channels) and multiplies the consumers' columns.
// Norms are rounded to the type of the file first, and the consumers take what that really divides
// by. Channels with a scale that is not positive and finite stay.
void apply_fold(Block& block, const Fold& fold, std::span<const float> scales);

// Kept linears that read a foldable input must be written anew: for a step's prepare().
void rewrite_consumers(Plan& plan);

}  // namespace farthing::compress
