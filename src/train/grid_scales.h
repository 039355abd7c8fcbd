// The scales of a rounded model while they train (EfficientQAT's second phase, Chen et al., 2024):
// codes stay as they are, and a weight is scale * unit with the unit that its code stands for.
#pragma once

#include <memory>
#include <vector>

#include "formats/quantized_tensor.h"
#include "train/adapters.h"

namespace farthing::train {

class GridScales final : public StandIn {
 public:
  // For each matrix of the set that the map's checkpoint keeps on an integer grid; the set holds
  // their floats. Error: bad input, when there is none.
  GridScales(const model::TensorMap& map, ParameterSet& set);

  std::vector<Parameter*> parameters() const override;
  void clear_gradients(Runtime& runtime) override;
  void take_gradients(Runtime& runtime) override;
  void apply(Runtime& runtime) override;

  // The matrices with their new scales, in the format that they had.
  struct Rounded {
    std::string base;
    QuantizedTensor tensor;
  };
  std::vector<Rounded> rounded() const;

 private:
  struct Grid {
    Parameter* matrix = nullptr;
    std::string base;
    QuantizedTensor stored;  // as the file has it, borrowed from it
    std::int64_t group = 0;  // inputs
    Matrix<float> units;     // (out, in)
    Parameter scales;        // (out, groups)
  };
  std::vector<std::unique_ptr<Grid>> all_;
};

}  // namespace farthing::train
