// One block of a decoder, forward and backward: the operators of model/forward_block.cc in the same
// order, driven by the same ModelConfig.
#pragma once

#include <span>
#include <vector>

#include "cache/batch.h"
#include "kernels/gradients/attention_gradient.h"
#include "model/rope.h"
#include "train/operators.h"

namespace farthing::train {

// Whole sequences that lie one after the other, and the angles of their positions.
struct SequenceBatch {
  std::vector<kernels::SequenceRows> sequences;
  Matrix<float> table, local_table;  // (rows, rotary_dim) cosines and sines, as model/rope.h
  Matrix<float> back, local_back;    // the same with the sines negated: turned back
  std::int64_t rows() const {
    return sequences.empty() ? 0 : sequences.back().first + sequences.back().count;
  }
};

// Makes the batch of sequences of these lengths.
class Positions {
 public:
  explicit Positions(const model::TensorMap& map);
  SequenceBatch batch(std::span<const std::int64_t> lengths) const;

 private:
  bool rope_ = false;
  std::int64_t rotary_dim_ = 0;
  model::Rope usual_, local_;
};

class BlockOperator {
 public:
  // What a branch of the residual stream, attention or MLP, keeps for its gradient.
  struct Branch {
    Matrix<float> x, normed;  // what came in, its norm
    Matrix<float> out;        // what the branch gave
    Matrix<float> sum;        // x + branch, where a norm stands behind the addition
  };
  // What forward() leaves for backward().
  struct Activations {
    Branch first, second;
    Matrix<float> raw_qkv, qkv, attended;  // before head norms; as attention reads it
    Matrix<float> wide, inner;
  };
  BlockOperator(Runtime& runtime, const model::ModelConfig& config);

  BlockOperator(const BlockOperator&) = delete;
  BlockOperator& operator=(const BlockOperator&) = delete;

  // Where the next calls leave and find them; until then in a place of its own, which the next
  // forward() overwrites.
  void use(Activations& activations) { kept_ = &activations; }

  // y := block(x), (rows, hidden) both; y may be x.
  void forward(const BlockWeights& weights, int layer, const SequenceBatch& batch,
               MatrixView<const float> x, MatrixView<float> y);
  // After forward() of the same: dy becomes dx in place, gradients are added to the weights'.
  void backward(const BlockWeights& weights, int layer, const SequenceBatch& batch,
                MatrixView<float> dy);

 private:
  using Function = FunctionRef<void(MatrixView<const float> in, MatrixView<float> out)>;
  using Gradient = FunctionRef<void(MatrixView<const float> in, MatrixView<const float> dout,
                                    MatrixView<float> din)>;
  void attention(const BlockWeights&, int layer, const SequenceBatch&, MatrixView<const float> in,
                 MatrixView<float> out);
  void attention_gradient(const BlockWeights&, int layer, const SequenceBatch&,
                          MatrixView<const float> in, MatrixView<const float> dout,
                          MatrixView<float> din);
  void mlp(const BlockWeights&, MatrixView<const float> in, MatrixView<float> out);
  void mlp_gradient(const BlockWeights&, MatrixView<const float> in, MatrixView<const float> dout,
                    MatrixView<float> din);

  // What the branch reads: its norm of x, or x.
  MatrixView<const float> read(const NormWeights& norm, Branch& branch);
  void run_branch(const NormWeights& norm, const NormWeights& post, Branch& branch,
                  MatrixView<float> x, Function f);
  void run_branch_gradient(const NormWeights& norm, const NormWeights& post, Branch& branch,
                           MatrixView<float> dy, Gradient f);
  // The gradient of a branch's output: dy scaled and taken back through the norm behind it.
  MatrixView<const float> out_gradient(const NormWeights& post, Branch& branch,
                                       MatrixView<const float> dy);
  void run_parallel(const BlockWeights&, int layer, const SequenceBatch&, MatrixView<float> x);
  void run_parallel_gradient(const BlockWeights&, int layer, const SequenceBatch&,
                             MatrixView<float> dy);

  bool rotates(int layer) const;
  void rotate(int layer, const SequenceBatch&, MatrixView<float> qkv, bool back) const;
  kernels::CausalAttention rules(int layer) const;

  Runtime& runtime_;
  model::ModelConfig config_;
  NormOperator norms_;
  std::vector<float> slopes_;
  Workspace work_;
  Activations own_;
  Activations* kept_ = &own_;
  Matrix<float> added_;  // a branch's output behind its norm
  Matrix<float> out_gradient_, in_gradient_, second_in_gradient_;
  Matrix<float> wide_gradient_, inner_gradient_, qkv_gradient_, attended_gradient_;
};

}  // namespace farthing::train
