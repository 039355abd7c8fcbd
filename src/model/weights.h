// The weights of a model, packed for this processor: one block at a time, resident or streamed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime.h"
#include "kernels/linear.h"
#include "model/tensor_map.h"

namespace farthing::model {

struct LoadOptions {
  // Overrides what the checkpoint fixes or the scheme suggests (ActivationMode of every linear).
  std::optional<ActivationMode> activations;
  // Float weights are converted to this element; compressed ones stay as they are.
  std::optional<Element> float_weights;
};

struct Norm {
  std::vector<float> weight, bias;  // (features); bias may be empty
  bool present = false;
  explicit operator bool() const { return present; }
};

// Linears that read the same input; their outputs follow one another. Those of equal scheme are one
// packed matrix, so there are one to three.
class LinearGroup {
 public:
  // input_order: column j multiplies input input_order[j]; empty: input j. multiplier: of each
  // input before it is rounded (SmoothQuant, where nothing before it takes the scales); empty: 1.
  void add(kernels::Linear linear, std::vector<std::int32_t> input_order = {},
           std::vector<float> multiplier = {}) {
    plain_ = plain_ && input_order.empty() && multiplier.empty();
    parts_.push_back(std::move(linear));
    input_orders_.push_back(std::move(input_order));
    multipliers_.push_back(std::move(multiplier));
  }
  explicit operator bool() const { return !parts_.empty(); }
  // x (tokens, in) -> y (tokens, sum of out)
  void apply(Runtime& runtime, kernels::Activations& x, MatrixView<float> y,
             kernels::Epilogue epilogue = {}) const;
  std::int64_t out() const;
  std::size_t bytes() const;
  const std::vector<kernels::Linear>& parts() const { return parts_; }

 private:
  bool plain_ = true;  // no part's inputs are moved or multiplied
  std::vector<kernels::Linear> parts_;
  std::vector<std::vector<std::int32_t>> input_orders_;  // of each part
  std::vector<std::vector<float>> multipliers_;
};

struct MlpWeights {
  LinearGroup gate_up;  // (tokens, hidden) -> gate, then up; only up where the MLP has no gate
  LinearGroup down;
};

struct BlockWeights {
  Norm attention_norm, post_attention_norm, mlp_norm, post_mlp_norm, q_norm, k_norm;
  LinearGroup qkv;  // (tokens, hidden) -> q, k, v
  LinearGroup o;
  MlpWeights mlp;  // dense layers
  LinearGroup router;
  std::vector<MlpWeights> experts;
  std::size_t bytes() const;
  std::size_t expert_bytes() const;  // of these, the experts'
};

// Packs the units, fused where their grids and schemes agree. Error: bad input, unsupported.
LinearGroup load_group(Runtime& runtime, const TensorMap& map, const LoadOptions& options,
                       std::span<const TensorUnit> units);
BlockWeights load_block(Runtime& runtime, const TensorMap& map, const LoadOptions& options,
                        int layer);
Norm load_norm(const TensorMap& map, Slot slot, int layer = -1);

// Where run_blocks gets a block from.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual const BlockWeights& block(int layer) = 0;  // valid until the next call
  virtual std::size_t bytes() const = 0;             // resident
  virtual std::size_t expert_bytes() const = 0;      // of these, the experts'
  // The checkpoint has changed: what is kept of it is loaded again. Streamed blocks only.
  virtual void forget() {}
};
std::unique_ptr<BlockSource> resident_blocks(Runtime& runtime, const TensorMap& map,
                                             const LoadOptions& options);
// Loads each block when it is asked for and keeps only the last: for models larger than memory.
std::unique_ptr<BlockSource> streamed_blocks(Runtime& runtime, const TensorMap& map,
                                             const LoadOptions& options);

}  // namespace farthing::model
