// Which tensor of a checkpoint fills which slot of a model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/quantized_tensor.h"
#include "io/checkpoint.h"
#include "model/architecture.h"

namespace farthing::model {

// BASE.rows.N, which holds a part of the rows of BASE.
std::string part_name(const std::string& base, int part);

// One stored matrix in its place. A precision is chosen per unit.
struct TensorUnit {
  Slot slot = Slot::kNone;
  int layer = -1;
  int expert = -1;
  std::string base;  // the checkpoint's own name, without ".weight"
  const TensorRow* row = nullptr;
  int slice = 0, slices = 1;  // of a tensor that holds all experts
  // Of a matrix that is stored in several tensors, whose rows follow one another: which of them,
  // from 0; -1: the whole.
  int part = -1;
  std::string whole() const;  // the base of all parts together
};

class TensorMap {
 public:
  // All three are borrowed. Error: bad input, when no tensor name of the architecture is there.
  TensorMap(const Architecture& architecture, const ModelConfig& config,
            const io::Checkpoint& checkpoint);

  const ModelConfig& config() const { return config_; }
  const io::Checkpoint& checkpoint() const { return checkpoint_; }

  bool has_row(Slot slot) const;  // whether checkpoints of the architecture may bring it
  std::optional<TensorUnit> find(Slot slot, int layer = -1, int expert = -1) const;
  // The matrix, or all parts of its rows in their order; none: absent.
  std::vector<TensorUnit> find_rows(Slot slot, int layer = -1, int expert = -1) const;
  // Error: unsupported, naming what cannot read a matrix that is stored in parts of its rows.
  void require_whole(std::string_view by) const;
  // The name that the architecture gives a slot outside of the blocks, whether the checkpoint has
  // it or not (a tied head); "" when the architecture has no such slot.
  std::string expected_name(Slot slot) const;
  // The name of the module in the whole model, where a checkpoint of the bare decoder drops its
  // first part ("decoder.layers.0.fc1" of OPT is "model.decoder.layers.0.fc1").
  std::string module_name(const TensorUnit& unit) const {
    return unit.row->hf_name.starts_with(drop_prefix_) ? drop_prefix_ + unit.base : unit.base;
  }
  // Every matrix that is_linear, and the embedding, in the order of the model; layer -1 first.
  std::vector<TensorUnit> linears() const;
  std::vector<TensorUnit> linears_of(int layer) const;

  // The matrix as (out, in), its shape checked against the configuration. Error: bad input.
  QuantizedTensor load(const TensorUnit& unit) const;
  // Bias (out) in the order that outputs have, or empty.
  std::vector<float> load_bias(const TensorUnit& unit) const;
  // A norm's or table's numbers by the exact base name; empty when absent.
  std::vector<float> load_vector(const std::string& name) const;
  // A norm of each head, stored together or one by one.
  std::vector<float> load_heads(const TensorUnit& unit, std::int64_t heads) const;
  std::vector<std::int32_t> row_order_of(const TensorUnit& unit, std::int64_t rows) const;
  // Column j of load() multiplies input order[j] (io/input_order.h); empty: input j.
  std::vector<std::int32_t> input_order_of(const TensorUnit& unit,
                                           const QuantizedTensor& matrix) const;

 private:
  std::string name_of(const TensorRow& row, int layer, int expert, int head = 0) const;
  bool has(const std::string& base) const;  // whole or in parts
  bool has_whole(const std::string& base) const;

  const Architecture& architecture_;
  const ModelConfig& config_;
  const io::Checkpoint& checkpoint_;
  std::string drop_prefix_,
      add_prefix_;  // a base model saved without its head's prefix, or inside another
};

// read_config() of a checkpoint, and a look at its head: a file may say tie_word_embeddings and
// bring a head of its own all the same, which then counts, as in transformers.
ModelConfig config_of(const Architecture& architecture, const io::Checkpoint& checkpoint);
// find_architecture() of a checkpoint.
const Architecture& architecture_of(const io::Checkpoint& checkpoint);

}  // namespace farthing::model
