// A whole decoder that trains: embedding, blocks, head, and back. Blocks keep only their inputs;
// what is inside of one is computed again when its gradient is due (Chen et al., 2016).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "train/block.h"
#include "train/losses.h"

namespace farthing::train {

using Token = cache::Token;

// Sequences of tokens one after the other, each with the token that follows it.
struct TrainingBatch {
  std::vector<Token> tokens, labels;
  std::vector<std::int64_t> lengths;
  std::vector<std::int64_t> corpus_rows;  // of each sequence's first token among all of the text
  double row_weight = 1;                  // of each token's loss in the loss of the step
};

// Where the loss comes from.
class Objective {
 public:
  virtual ~Objective() = default;
  // The samples of a step before they are trained on: an objective may put others in their places.
  virtual TrainingBatch revise(TrainingBatch batch, std::int64_t step,
                               const ParameterSet& student) {
    static_cast<void>(step), static_cast<void>(student);
    return batch;
  }
  // Before the rows of a batch: a teacher may run.
  virtual void start(const TrainingBatch&) {}
  // logits (rows, vocabulary) of the rows from `first` on become the gradient of their losses, each
  // times the batch's row_weight. Returns the sum of the losses.
  virtual RowLoss apply(const TrainingBatch&, std::int64_t first, MatrixView<float> logits) = 0;
  // states (rows, features) behind block `layer`: adds the gradient of a loss of its own, weighted
  // as above, to `gradient` and returns that loss. Called from the last block to the first.
  virtual double hidden(const TrainingBatch&, int layer, MatrixView<const float> states,
                        MatrixView<float> gradient) {
    static_cast<void>(layer), static_cast<void>(states), static_cast<void>(gradient);
    return 0;
  }
};

struct BatchLoss {
  double total = 0, divergence = 0, labels = 0, hidden = 0;  // sums over rows, times row_weight
};

// Rows whose logits are in memory at once: many where the vocabulary is small, for then a product
// with the head takes longer to prepare than to do.
std::int64_t logit_rows(std::int64_t vocabulary);

class Decoder {
 public:
  // Reads all parameters; the map may go afterwards. Error: bad input, unsupported.
  Decoder(Runtime& runtime, const model::TensorMap& map,
          ParameterSet::Use use = ParameterSet::Use::kWriteBack);

  const model::ModelConfig& config() const { return config_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }

  // Runs a batch forward and back and adds its gradients. Error: bad input for a
  // token or position that the model does not have, and for a loss that is not a number (says in
  // which layer numbers first went wrong).
  BatchLoss accumulate(const TrainingBatch& batch, Objective& objective);
  // Keeps what is inside of every block until its gradient is due, instead of computing it again:
  // more memory and less time, the same bits.
  void keep_activations() { kept_.resize(blocks_.size()); }
  // The loss alone.
  BatchLoss evaluate(const TrainingBatch& batch, Objective& objective);

 private:
  void embed(const TrainingBatch& batch, MatrixView<float> hidden);
  void embed_gradient(const TrainingBatch& batch, MatrixView<float> dhidden);
  void run_blocks(const TrainingBatch& batch);
  // Losses of all rows; the gradient of the last block's output where `train`.
  BatchLoss head(const TrainingBatch& batch, Objective& objective, bool train);
  [[noreturn]] void refuse_loss(double loss) const;

  Runtime& runtime_;
  model::ModelConfig config_;
  ParameterSet parameters_;
  EndWeights ends_;
  std::vector<BlockWeights> blocks_;
  Positions positions_;
  NormOperator norms_;
  BlockOperator block_;
  std::vector<BlockOperator::Activations> kept_;  // of each block, or empty
  Workspace work_;
  SequenceBatch rows_;
  std::vector<Matrix<float>>
      states_;                    // (rows, hidden): what enters each block, and leaves the last
  Matrix<float> embedded_, raw_;  // before project_in; before the embedding's norm
  Matrix<float> normed_, projected_, gradient_, projected_gradient_, logits_, head_turned_;
  Matrix<float> scratch_;
};

}  // namespace farthing::train
