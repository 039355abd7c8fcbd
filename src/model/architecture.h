// An architecture is data: which tensors a checkpoint has, what each is for, what feeds what, and
// how config.json maps to ModelConfig. One file in arch/ and one row in arch/registry.cc each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/threads.h"
#include "io/json.h"
#include "model/config.h"
#include "tensor/shape.h"

namespace farthing::model {

enum class Slot : std::uint8_t {
  kNone,
  // outside of the blocks
  kEmbedding,
  kPositionEmbedding,
  kEmbeddingNorm,
  kProjectIn,
  kProjectOut,
  kFinalNorm,
  kHead,
  kRopeFactors,
  // attention
  kAttentionNorm,
  kQ,
  kK,
  kV,
  kQkv,
  kQNorm,
  kKNorm,
  kO,
  kPostAttentionNorm,
  // MLP, or one expert of it
  kMlpNorm,
  kGate,
  kUp,
  kGateUp,
  kDown,
  kRouter,
  kPostMlpNorm,
  kExpertGate,
  kExpertUp,
  kExpertGateUp,
  kExpertDown,
};

// How the rows of a stored matrix lie. All become the heads in order: first q, then k, then v.
enum class RowOrder : std::uint8_t {
  kAsIs,
  kQkvPerHead,       // GPT-NeoX, BLOOM: (heads, 3, head_dim)
  kQkvPerGroup,      // Falcon 40B: (kv_heads, heads / kv_heads + 2, head_dim)
  kRopeInterleaved,  // llama.cpp's Q and K of Llama: pairs (i, i + head_dim / 2) side by side
};

// Several rows may bring one slot (fused or apart, old or new names): the first found counts.
// {L} is the layer, {E} the expert; a name of an expert slot without {E} is one tensor with the
// experts as its first dimension; {H} is the head, for norms that are stored one by one. A weight's
// bias is found beside it. fed_by kMlpNorm means kAttentionNorm in a parallel block without an MLP
// norm.
struct TensorRow {
  Slot slot;
  std::string_view hf_name;         // without ".weight"
  std::string_view gguf_name = "";  // "" when GGUF does not have it
  Slot fed_by = Slot::kNone;        // the norm or linear whose output this reads
  bool transposed = false;          // (in, out) as GPT-2's Conv1D keeps float weights
  RowOrder order = RowOrder::kAsIs;
  RowOrder gguf_order = RowOrder::kAsIs;
};

// What config.json may leave unsaid: the defaults of transformers' configuration classes.
struct ConfigDefaults {
  double norm_epsilon = 1e-6;
  double rope_theta = 10000.0;
  double rotary_share = 1.0;  // of a head's features
  std::int64_t head_dim = 0;  // 0: hidden / heads
  std::string_view activation = "silu";
  bool tied = false;
  std::int64_t max_positions = 2048;
};

struct Architecture {
  std::string_view name;
  std::span<const std::string_view> classes;  // "LlamaForCausalLM"; what config.json names
  std::span<const std::span<const TensorRow>> tensors;  // searched in order
  // Fills what read_config() has not; gguf: the tensors come from a GGUF file, whose converter may
  // have folded things. Error: bad input, unsupported.
  void (*configure)(const Json& config, bool gguf, ModelConfig& out);
  ConfigDefaults defaults = {};
};

std::span<const Architecture* const> architectures();
// By "architectures" of config.json, else "model_type". Error: unsupported; names those known.
const Architecture& find_architecture(const Json& config);

// Reads the keys that most architectures share, then lets the architecture add its own, then checks
// that the numbers are sane (sizes positive, heads divide, limits). Error: bad input, unsupported.
ModelConfig read_config(const Architecture& architecture, const Json& config, bool gguf);
// rope_parameters (new) or rope_theta and rope_scaling (old), for one kind of layer.
RopeConfig read_rope(const Json& config, const Json* scaling, double theta,
                     std::int64_t max_positions);
// The value under the first of the keys that is present, else `otherwise`.
std::int64_t int_of(const Json& config, std::initializer_list<std::string_view> keys,
                    std::int64_t otherwise);
std::int64_t positive_int(const Json& config, std::string_view key, std::int64_t otherwise);
double number_of(const Json& config, std::initializer_list<std::string_view> keys,
                 double otherwise);
std::string text_of(const Json& config, std::initializer_list<std::string_view> keys,
                    std::string_view otherwise);
// sliding_window; 0 where it is null, `otherwise` where it is absent.
std::int64_t read_window(const Json& config, std::int64_t otherwise);
// Gives `window` to the layers that layer_types names, or, without it, to those that are windowed.
void set_windows(const Json& config, std::int64_t window,
                 FunctionRef<bool(std::int64_t layer)> windowed, ModelConfig& out);

bool is_linear(Slot slot);  // a matrix that multiplies activations: head included, embedding not
bool is_expert(Slot slot);
bool in_block(Slot slot);
// (out, in) of a matrix, (1, n) of a norm, as the configuration asks; rows 0: any number.
Shape slot_shape(Slot slot, const ModelConfig& config, std::int64_t layer);
std::vector<std::int32_t> row_order(RowOrder order, const ModelConfig& config, std::int64_t rows);

}  // namespace farthing::model
