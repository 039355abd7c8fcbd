// The objective of a student: its teacher's distribution, the labels, the teacher's hidden states.
#pragma once

#include <vector>

#include "train/decoder.h"
#include "train/teacher.h"

namespace farthing::train {

// Block i of a student of `layers` blocks is held to this block of a teacher of `teacher_layers`:
// both ends meet.
int matching_layer(int layer, std::int64_t layers, std::int64_t teacher_layers);

class Distillation final : public Objective {
 public:
  // teacher: null when only labels count. hidden: weight of the distance of hidden states, 0: none;
  // `matches`: for each block of the student the teacher's.
  Distillation(Runtime& runtime, const LossOptions& loss, Teacher* teacher, double hidden,
               std::vector<int> matches)
      : runtime_(runtime),
        loss_(loss),
        teacher_(teacher),
        hidden_(hidden),
        matches_(std::move(matches)) {}

  void start(const TrainingBatch& batch) override;
  RowLoss apply(const TrainingBatch& batch, std::int64_t first, MatrixView<float> logits) override;
  // Mean over blocks and rows of |student - teacher|^2 / |teacher|^2 (SquareHead, Kurtic et al.,
  // 2023).
  double hidden(const TrainingBatch& batch, int layer, MatrixView<const float> states,
                MatrixView<float> gradient) override;

 private:
  Runtime& runtime_;
  LossOptions loss_;
  Teacher* teacher_;
  double hidden_;
  std::vector<int> matches_;
};

}  // namespace farthing::train
