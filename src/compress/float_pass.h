// The samples on their way through the float model, block by block: for steps that look at all of
// it before anything is compressed.
#pragma once

#include <memory>

#include "calibrate/collect.h"
#include "calibrate/data.h"
#include "core/progress.h"
#include "model/tensor_map.h"

namespace farthing::compress {

// What a step may look at before the first block. `data` has no samples when no step of the recipe
// needs any.
struct Survey {
  Runtime& runtime;
  const model::TensorMap& map;
  const calibrate::CalibrationData& data;
  std::string kv;  // the cache's type in the forward passes
  Progress& progress;
  std::uint64_t memory_limit = 0;  // 0: no limit
};

class FloatPass {
 public:
  // The survey is borrowed. The tokens are embedded at once; the states stay in memory.
  explicit FloatPass(const Survey& survey);
  ~FloatPass();

  // What enters the linears of the block that the samples stand before.
  calibrate::Collected collect(int layer, const calibrate::Wanted& wanted);
  // Takes the samples through the block, which `tap` may watch.
  void advance(int layer, model::Tap* tap = nullptr);
  model::Model& model() { return *model_; }
  calibrate::HiddenStates& states() { return states_; }
  const calibrate::SampleRows& samples() const { return samples_; }

 private:
  calibrate::SampleRows samples_;
  std::unique_ptr<model::Model> model_;
  calibrate::HiddenStates states_;
  calibrate::BlockRunner runner_;
};

calibrate::SampleRows rows_of(const calibrate::CalibrationData& data);
std::vector<cache::Token> tokens_of(const calibrate::CalibrationData& data);

}  // namespace farthing::compress
