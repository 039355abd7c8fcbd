// One block of a model while steps edit it: matrices and vectors as floats, under the names and in
// the places that the architecture's rows give them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/collect.h"
#include "compress/plan.h"
#include "formats/quantized_tensor.h"
#include "tensor/matrix_view.h"

namespace farthing::compress {

// One matrix, or one slice of a tensor that holds all experts.
struct BlockMatrix {
  const PlannedUnit* unit = nullptr;
  int expert = -1;
  int slice = 0;
  Matrix<float> values;  // (out, in), rows as stored; what calibration reads and rounding rounds
  std::vector<std::int32_t> order;  // output r is row order[r]; empty: as it is
  bool edited = false;

  std::int64_t row_of(std::int64_t output) const {
    return order.empty() ? output : order[static_cast<std::size_t>(output)];
  }
};

class Block {
 public:
  // inputs: of all linears, when the steps asked for statistics. All are borrowed.
  Block(Runtime& runtime, const model::TensorMap& map, const Plan& plan, int layer);

  int layer() const { return layer_; }
  const model::TensorMap& map() const { return map_; }
  const model::ModelConfig& config() const { return map_.config(); }
  // What enters a linear of this slot; null when nothing was collected (no data, a starved expert).
  const calibrate::LinearStatistics* inputs(model::Slot slot, int expert = -1) const;
  void set_inputs(calibrate::Collected inputs) { inputs_ = std::move(inputs); }

  // The matrix in a slot, loaded when it is first asked for; null when the block has none. Whoever
  // changes values sets edited.
  BlockMatrix* find(model::Slot slot, int expert = -1);
  // All that the plan has for this block, not loaded yet: units and slices in the model's order.
  struct Place {
    const PlannedUnit* unit;
    int expert, slice;
  };
  const std::vector<Place>& places() const { return places_; }
  BlockMatrix& load(const Place& place);

  // A norm's weight or bias, or a linear's bias, by its base name ("...input_layernorm",
  // "...q_proj.bias"); empty when the checkpoint has none.
  std::vector<float> vector(const std::string& name) const;
  // Sets it, rounded to the type that the file has, and returns what that gives.
  std::vector<float> set_vector(const std::string& name, std::span<const float> values);

  // A vector that the checkpoint does not have, in FP32.
  void add_vector(const std::string& name, std::span<const float> values);

  const std::map<std::pair<std::string, int>, std::unique_ptr<BlockMatrix>>& matrices() const {
    return matrices_;
  }
  std::map<std::string, QuantizedTensor>& vectors() { return vectors_; }

 private:
  Runtime& runtime_;
  const model::TensorMap& map_;
  int layer_;
  std::vector<Place> places_;
  std::map<std::pair<std::string, int>, std::unique_ptr<BlockMatrix>> matrices_;
  std::map<std::string, QuantizedTensor> vectors_;
  calibrate::Collected inputs_;
};

// The floats of a matrix (out, in). Error: as read_rows() of slab.h.
void read_floats(Runtime& runtime, const model::TensorMap& map, const PlannedUnit& unit, int slice,
                 Matrix<float>& out);

}  // namespace farthing::compress
