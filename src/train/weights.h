// The parameters of a decoder in their places.
#pragma once

#include <vector>

#include "train/parameters.h"

namespace farthing::train {

// Linears that read the same input; their outputs follow one another.
struct LinearWeights {
  struct Part {
    Parameter* weight = nullptr;
    Parameter* bias = nullptr;  // or null
  };
  std::vector<Part> parts;
  std::int64_t out() const;
};

struct NormWeights {
  bool present = false;
  Parameter* weight = nullptr;  // null: all ones
  Parameter* bias = nullptr;
};

struct BlockWeights {
  NormWeights attention_norm, post_attention_norm, mlp_norm, post_mlp_norm, q_norm, k_norm;
  LinearWeights qkv;  // (rows, hidden) -> q, k, v
  LinearWeights o;
  LinearWeights gate_up;  // gate, then up; only up where the MLP has no gate
  LinearWeights down;
};

struct EndWeights {
  Parameter *embedding = nullptr, *positions = nullptr;
  Parameter* head = nullptr;  // the embedding where they are tied
  LinearWeights project_in, project_out;
  NormWeights embedding_norm, final_norm;
};

// Reads them from the map's checkpoint. Error: bad input; unsupported for experts.
BlockWeights load_block_weights(const model::TensorMap& map, int layer, ParameterSet& set);
EndWeights load_end_weights(const model::TensorMap& map, ParameterSet& set);

}  // namespace farthing::train
