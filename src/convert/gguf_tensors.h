// Which tensors a model has as a GGUF file, and from what each is made. The names and orders are
// those of the architecture's rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/tensor_map.h"

namespace farthing::convert {

// One matrix of a tensor: an expert of several, or the only one.
struct GgufSlice {
  model::TensorUnit unit;
  std::vector<std::int32_t> order;  // row r is the stored row order[r]; empty: as it is
};

struct GgufItem {
  std::string name;  // "blk.0.attn_q.weight"
  model::Slot slot = model::Slot::kNone;
  Shape shape;                       // of a slice
  std::vector<std::int64_t> stored;  // the tensor's shape, outermost first
  std::vector<GgufSlice> slices;     // of a matrix
  std::vector<float> numbers;        // else: norms, biases, factors of RoPE
  bool is_matrix() const { return !slices.empty(); }
};

// `target` is the architecture that readers find in the file. Error: unsupported, for a part of the
// model that GGUF has no name for; bad input.
std::vector<GgufItem> list_tensors(const model::TensorMap& map, const model::Architecture& target);

}  // namespace farthing::convert
