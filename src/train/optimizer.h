// Turns gradients into steps.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/runtime.h"
#include "train/parameters.h"

namespace farthing::train {

enum class OptimizerKind : std::uint8_t {
  kAdamW,  // Loshchilov and Hutter, 2019
  kSign,   // the gradient's sign alone: no state (Bernstein et al., 2018)
};
OptimizerKind parse_optimizer(std::string_view name);  // Error: usage
std::string_view optimizer_name(OptimizerKind kind);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.01;  // of matrices, apart from the gradient
  double clip = 1.0;           // of the norm of all gradients together; 0: none
  bool bf16 = false;           // values are BF16; what is summed up stays FP32
};

// Linear warmup from 0 to 1, then half a cosine down to `last` (Loshchilov and Hutter, 2017): the
// factor of the learning rate at a step 0 .. steps - 1.
double schedule(std::int64_t step, std::int64_t steps, std::int64_t warmup, double last);

class Optimizer {
 public:
  // The parameters, all of which train, are borrowed.
  Optimizer(std::vector<Parameter*> parameters, const OptimizerOptions& options);

  // The norm of all gradients, and the name of a parameter whose gradient is not a number ("" when
  // there is none).
  struct Norm {
    double norm = 0;
    std::string_view broken;
  };
  Norm gradient_norm(Runtime& runtime) const;
  // One step along the gradients, clipped; `norm` is theirs.
  void step(Runtime& runtime, double learning_rate, double norm);

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  // What a checkpoint must keep beside the step: named numbers of the parameters, borrowed.
  struct Numbers {
    std::string name;
    MatrixView<float> values;
  };
  std::vector<Numbers> state();
  // Values follow what state() has got anew.
  void refresh();

 private:
  struct Moments {
    Parameter* parameter;
    Matrix<float> first, second;  // AdamW only
    Matrix<float> master;         // with bf16 only
  };
  void update(Moments& moments, std::int64_t begin, std::int64_t end, double rate, double factor);

  std::vector<Moments> all_;
  OptimizerOptions options_;
  std::int64_t steps_ = 0;
};

}  // namespace farthing::train
