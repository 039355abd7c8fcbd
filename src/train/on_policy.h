// On-policy distillation: the student continues beginnings of the text in its own words, and its
// teacher says what it would have said there (Agarwal et al., 2024, GKD, arXiv 2306.13649).
#pragma once

#include <cstdint>
#include <memory>

#include "model/tensor_map.h"
#include "train/decoder.h"

namespace farthing::train {

struct OnPolicyOptions {
  double share = 0;         // of the samples that the student continues; 0: none
  double temperature = 1;   // of the student's draws
  std::int64_t prompt = 0;  // tokens of a sample that stay; 0: a quarter of it
  std::int64_t seed = 1;
};
// Error: usage, for a share outside of 0..1, a temperature outside of 0.05..100 or a negative
// prompt.
void check(const OnPolicyOptions& options);

// An objective whose samples are partly the student's: which ones, and every draw, follow from seed
// and step alone, so that a run that goes on from a checkpoint draws what it would have drawn. The
// draws are given: no gradient flows through them.
class OnPolicy final : public Objective {
 public:
  // Learns by `inner`, which is borrowed as the map is: that of the student's checkpoint.
  OnPolicy(Runtime& runtime, const model::TensorMap& student, const OnPolicyOptions& options,
           Objective& inner);

  TrainingBatch revise(TrainingBatch batch, std::int64_t step,
                       const ParameterSet& student) override;
  void start(const TrainingBatch& batch) override { inner_.start(batch); }
  RowLoss apply(const TrainingBatch& batch, std::int64_t first, MatrixView<float> logits) override {
    return inner_.apply(batch, first, logits);
  }
  double hidden(const TrainingBatch& batch, int layer, MatrixView<const float> states,
                MatrixView<float> gradient) override {
    return inner_.hidden(batch, layer, states, gradient);
  }

 private:
  Runtime& runtime_;
  const model::TensorMap& student_;
  OnPolicyOptions options_;
  Objective& inner_;
};

}  // namespace farthing::train
