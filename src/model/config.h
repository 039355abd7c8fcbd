// What config.json says of a model, in one vocabulary for all architectures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/elementwise/elementwise.h"

namespace farthing::model {

enum class RopeScaling : std::uint8_t { kNone, kLinear, kDynamic, kLlama3, kYarn, kLongRope };

// Rotary embedding and how its frequencies are scaled; the rules are those of transformers'
// modeling_rope_utils (v5).
struct RopeConfig {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  double original_max_positions = 0;
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;                        // yarn
  bool truncate = true;                                        // yarn
  double attention_factor = 0;                      // cosines and sines times this; 0: by the rule
  double mscale = 0, mscale_all_dim = 0;            // yarn
  std::vector<double> short_factors, long_factors;  // longrope; llama3 of GGUF: short only
};

enum class NormKind : std::uint8_t { kRms, kLayer };
enum class PositionKind : std::uint8_t { kRope, kLearned, kAlibi, kNone };
enum class HeadNorm : std::uint8_t { kNone, kPerHead, kWholeProjection };

// How a block is put together. A pre-norm or a norm of a branch's output exists when the checkpoint
// has its tensor (Slot::kAttentionNorm, kPostAttentionNorm, ...).
struct BlockRules {
  NormKind norm = NormKind::kRms;
  bool norm_plus_one = false;  // Gemma keeps weight - 1
  bool plain_norms = false;  // the norms around attention and MLP have no weights (OPT, on request)
  bool plain_final_norm = false;
  bool final_norm = true;
  bool norm_after_add = false;           // OPT-350m: the norms stand after the residual additions
  bool parallel = false;                 // attention and MLP read the same residual stream
  bool residual_from_norm = false;       // BLOOM's apply_residual_connection_post_layernorm
  HeadNorm head_norm = HeadNorm::kNone;  // of queries and keys, before RoPE
  bool head_norm_centred = false;        // LayerNorm instead of RMSNorm
  bool gated = true;                     // down(act(gate) * up), else down(act(up))
  PositionKind position = PositionKind::kRope;
  bool rope_interleaved = false;
  bool rope_only_with_window = false;  // Cohere2: layers with full attention have no positions
};

struct ModelConfig {
  std::string architecture;  // the row's name: "llama"
  std::int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t vocab = 0, max_positions = 0;
  std::int64_t embedding_dim = 0;    // OPT's word_embed_proj_dim; else hidden
  std::int64_t rotary_dim = 0;       // rotated features of a head
  std::int64_t position_offset = 0;  // OPT: row position + 2 of the learned table
  double norm_epsilon = 1e-5;
  kernels::Activation activation = kernels::Activation::kSilu;
  BlockRules block;
  bool tied = false;                  // the head is the embedding matrix
  RopeConfig rope;                    // of layers with full attention
  RopeConfig local_rope;              // of layers with a window
  std::vector<std::int64_t> windows;  // one a layer, 0 = full attention
  double attention_scale = 0;         // of the scores; 0: 1 / sqrt(head_dim)
  bool scale_by_layer = false;        // GPT-2's scale_attn_by_inverse_layer_idx
  double attention_soft_cap = 0, final_soft_cap = 0;
  double embedding_scale = 1, residual_scale = 1, logit_scale = 1;
  double rounded_alibi_scale = 0;  // > 0: Falcon's ALiBi, rounded to BF16, then times this
  // Mixture of experts; experts == 0: dense.
  std::int64_t experts = 0, experts_per_token = 0, expert_intermediate = 0;
  bool normalize_expert_weights = true;
  std::vector<bool> sparse_layers;  // one a layer: experts instead of an MLP

  std::int64_t q_width() const { return heads * head_dim; }
  std::int64_t kv_width() const { return kv_heads * head_dim; }
  bool sparse(std::int64_t layer) const {
    return experts > 0 && sparse_layers[static_cast<std::size_t>(layer)];
  }
};

}  // namespace farthing::model
