// BLOOM (BigScience, 2022): ALiBi, a norm after the embedding, queries, keys and values of a head
// side by side.
#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kBloomClasses[] = {"BloomForCausalLM", "bloom"};
constexpr TensorRow kRows[] = {
    {.slot = Slot::kEmbedding, .hf_name = "transformer.word_embeddings", .gguf_name = "token_embd"},
    {.slot = Slot::kEmbeddingNorm,
     .hf_name = "transformer.word_embeddings_layernorm",
     .gguf_name = "token_embd_norm"},
    {.slot = Slot::kFinalNorm, .hf_name = "transformer.ln_f", .gguf_name = "output_norm"},
    {.slot = Slot::kHead, .hf_name = "lm_head", .gguf_name = "output", .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "transformer.h.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kQkv,
     .hf_name = "transformer.h.{L}.self_attention.query_key_value",
     .gguf_name = "blk.{L}.attn_qkv",
     .fed_by = Slot::kAttentionNorm,
     .order = RowOrder::kQkvPerHead},
    {.slot = Slot::kO,
     .hf_name = "transformer.h.{L}.self_attention.dense",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kQkv},
    {.slot = Slot::kMlpNorm,
     .hf_name = "transformer.h.{L}.post_attention_layernorm",
     .gguf_name = "blk.{L}.ffn_norm"},
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
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.kv_heads = c.heads;  // no key says otherwise
  c.block.position = PositionKind::kAlibi;
  c.block.residual_from_norm =
      json_bool(json, "apply_residual_connection_post_layernorm", false, "config.json");
  c.intermediate = 4 * c.hidden;
}

}  // namespace

extern const Architecture kBloom;
const Architecture kBloom{
    .name = "bloom",
    .classes = kBloomClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {.norm_epsilon = 1e-5, .activation = "gelu_pytorch_tanh", .tied = true}};

}  // namespace farthing::model
