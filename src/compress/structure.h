// Structured pruning: a model with fewer layers, MLP channels, groups of heads or experts is an
// ordinary smaller model, with a configuration that says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "model/tensor_map.h"

namespace farthing::compress {

// What stays. Lists ascend and name places of the model as it was; an empty one keeps all.
struct Structure {
  std::vector<std::int32_t> layers;
  // Of each layer, all of one length: channels between gate, up and down; groups of a key-value
  // head and the query heads that read it.
  std::vector<std::vector<std::int32_t>> channels, groups;
  // Of each layer with a mixture of experts, all of one length; not looked at in other layers.
  std::vector<std::vector<std::int32_t>> experts;
  // Added to the outputs of down and o in place of what the removed inputs gave on average; one
  // (hidden) a layer, or none.
  std::vector<std::vector<float>> down_bias, o_bias;
};

// Why the outputs of down (or o) of this architecture have no room for such a bias; "" when they
// have, in the checkpoint or by a word of its configuration.
std::string why_no_bias(const model::TensorMap& map, bool of_mlp);

// Error: unsupported, naming what stands in the way: experts instead of an MLP, q k v in one
// matrix, norms over all heads, positions by head (ALiBi), a configuration that has no word for the
// new sizes, or layers whose kind follows their number.
std::unique_ptr<io::Checkpoint> apply_structure(const model::TensorMap& map,
                                                const Structure& structure);

}  // namespace farthing::compress
