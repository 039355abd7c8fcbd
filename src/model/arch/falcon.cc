// Falcon (Almazrouei et al., 2023): 7B with one key head, 40B with groups of heads and a norm a
// branch, 11B with groups and one norm, RW with ALiBi and one branch after the other.
#include <cmath>

#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kFalconClasses[] = {"FalconForCausalLM", "falcon"};
constexpr TensorRow kRows[] = {
    {.slot = Slot::kEmbedding, .hf_name = "transformer.word_embeddings", .gguf_name = "token_embd"},
    {.slot = Slot::kFinalNorm, .hf_name = "transformer.ln_f", .gguf_name = "output_norm"},
    {.slot = Slot::kHead, .hf_name = "lm_head", .gguf_name = "output", .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "transformer.h.{L}.ln_attn",
     .gguf_name = "blk.{L}.attn_norm_2"},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "transformer.h.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kQkv,
     .hf_name = "transformer.h.{L}.self_attention.query_key_value",
     .gguf_name = "blk.{L}.attn_qkv",
     .fed_by = Slot::kAttentionNorm,
     .order = RowOrder::kQkvPerGroup},
    {.slot = Slot::kO,
     .hf_name = "transformer.h.{L}.self_attention.dense",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kQkv},
    {.slot = Slot::kMlpNorm,
     .hf_name = "transformer.h.{L}.ln_mlp",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kMlpNorm, .hf_name = "transformer.h.{L}.post_attention_layernorm"},
    {.slot = Slot::kUp,
     .hf_name = "transformer.h.{L}.mlp.dense_h_to_4h",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "transformer.h.{L}.mlp.dense_4h_to_h",
     .gguf_name = "blk.{L}.ffn_down"},
};
constexpr std::span<const TensorRow> kTensors[] = {kRows};

void configure(const Json& json, bool, ModelConfig& c) {
  constexpr std::string_view kWhere = "config.json";
  const bool grouped = json_bool(json, "new_decoder_architecture", false, kWhere);
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.block.parallel = grouped || json_bool(json, "parallel_attn", true, kWhere);
  c.activation = kernels::parse_activation(text_of(json, {"activation"}, "gelu"));
  if (grouped)
    c.kv_heads = positive_int(json, "num_kv_heads", c.heads);
  else
    c.kv_heads = json_bool(json, "multi_query", true, kWhere) ? 1 : c.heads;
  if (json_bool(json, "alibi", false, kWhere)) {
    c.block.position = PositionKind::kAlibi;
    c.rounded_alibi_scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  }
}

}  // namespace

extern const Architecture kFalcon;
const Architecture kFalcon{.name = "falcon",
                           .classes = kFalconClasses,
                           .tensors = kTensors,
                           .configure = configure,
                           .defaults = {.norm_epsilon = 1e-5, .activation = "gelu", .tied = true}};

}  // namespace farthing::model
