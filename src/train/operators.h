// The operators of a decoder, forward and backward. Gradients of weights are added to what is
// there; a parameter that is frozen gets none.
#pragma once

#include "core/runtime.h"
#include "kernels/elementwise/elementwise.h"
#include "model/config.h"
#include "train/weights.h"

namespace farthing::train {

// Scratch that the operators of one thread of control share.
struct Workspace {
  Matrix<float> turned, parts;
  std::vector<float> weight;
};

// y (rows, out) = x W^T + b.
void linear(Runtime&, Workspace&, const LinearWeights&, MatrixView<const float> x,
            MatrixView<float> y);
// dx (rows, in) = dy W, or += where `add`; dW += dy^T x, db += dy.
void linear_gradient(Runtime&, const LinearWeights&, MatrixView<const float> x,
                     MatrixView<const float> dy, MatrixView<float> dx, bool add = false);
// One matrix of it, without a bias: also for slabs of a head.
void weight_gradient(Runtime&, Parameter& weight, MatrixView<const float> x,
                     MatrixView<const float> dy);

// The norms of a model, all of one kind.
class NormOperator {
 public:
  NormOperator(const model::ModelConfig& config)
      : epsilon_(static_cast<float>(config.norm_epsilon)),
        centred_(config.block.norm == model::NormKind::kLayer),
        head_centred_(config.block.head_norm_centred),
        plus_one_(config.block.norm_plus_one) {}

  // y may be x.
  void forward(Runtime&, Workspace&, const NormWeights&, MatrixView<const float> x,
               MatrixView<float> y) const;
  // dy becomes dx in place.
  void backward(Runtime&, Workspace&, const NormWeights&, MatrixView<const float> x,
                MatrixView<float> dy) const;
  // The same over parts of `width` features, x and dy in place.
  void forward_heads(Runtime&, Workspace&, const NormWeights&, std::int64_t width,
                     MatrixView<float> x) const;
  void backward_heads(Runtime&, Workspace&, const NormWeights&, std::int64_t width,
                      MatrixView<const float> x, MatrixView<float> dy) const;

 private:
  std::span<const float> weight_of(Workspace&, const NormWeights&) const;
  void add_weight_gradient(Runtime&, const NormWeights&, MatrixView<const float> parts) const;

  float epsilon_;
  bool centred_, head_centred_, plus_one_;
};

}  // namespace farthing::train
