// What is trained: the tensors of a checkpoint as floats, each with its gradient.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"
#include "model/tensor_map.h"
#include "tensor/matrix_view.h"

namespace farthing::train {

// One tensor as the forward pass reads it: a matrix as (out, in) with its rows in the order of the
// outputs, a vector as one row.
struct Parameter {
  std::string name;  // in the file: "model.norm.weight"
  int layer = -1;
  bool is_matrix = false;           // weight decay is for matrices
  Matrix<float> value, gradient;    // of one shape; no gradient (0 rows): it is frozen
  std::vector<std::int32_t> order;  // row r is row order[r] of the file; empty: as it is
  bool turned = false;              // lies in the file as (in, out)
  std::string dtype;                // of the file, "BF16"
  std::vector<std::int64_t> shape;  // of the file

  bool trains() const { return gradient.shape().rows > 0; }
  std::int64_t size() const { return value.shape().size(); }
};

class ParameterSet {
 public:
  // kWriteBack: the tensors must be floats that can be written to a file again. kGradients:
  // anything that has values.
  enum class Use : std::uint8_t { kWriteBack, kGradients };
  explicit ParameterSet(Use use = Use::kWriteBack) : use_(use) {}

  // The matrix in a place, or a vector of it ("...q_proj.bias"). Adds it on first use; null when
  // the checkpoint has none. Error: bad input; unsupported for a tensor that cannot be written
  // back.
  Parameter* matrix(const model::TensorMap& map, model::Slot slot, int layer = -1);
  Parameter* bias(const model::TensorMap& map, model::Slot slot, int layer = -1);
  // A norm's weight; its bias with `bias`.
  Parameter* norm(const model::TensorMap& map, model::Slot slot, int layer, bool bias);

  // In the order in which they were added.
  const std::vector<std::unique_ptr<Parameter>>& all() const { return all_; }
  Parameter* find(std::string_view name) const;
  Parameter* find_matrix(const std::string& base) const;  // by its name without ".weight"
  std::int64_t count() const;                             // numbers
  std::int64_t trained_count() const;                     // those with a gradient

  void clear_gradients(Runtime& runtime);

 private:
  Parameter* add(std::unique_ptr<Parameter> parameter);

  Use use_;
  std::vector<std::unique_ptr<Parameter>> all_;
  std::map<std::string, Parameter*, std::less<>> by_name_;
};

// The parameter's bytes as its file has them: dtype, order and orientation. values (out, in).
std::vector<std::byte> file_bytes(const Parameter& parameter, MatrixView<const float> values);

}  // namespace farthing::train
