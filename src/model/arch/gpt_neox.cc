// GPT-NeoX and Pythia (Black et al., 2022; Biderman et al., 2023): both branches side by side, each
// with its norm, part of a head rotated.
#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kGptNeoXClasses[] = {"GPTNeoXForCausalLM", "gpt_neox"};
constexpr TensorRow kRows[] = {
    {.slot = Slot::kEmbedding, .hf_name = "gpt_neox.embed_in", .gguf_name = "token_embd"},
    {.slot = Slot::kFinalNorm, .hf_name = "gpt_neox.final_layer_norm", .gguf_name = "output_norm"},
    {.slot = Slot::kHead,
     .hf_name = "embed_out",
     .gguf_name = "output",
     .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "gpt_neox.layers.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kQkv,
     .hf_name = "gpt_neox.layers.{L}.attention.query_key_value",
     .gguf_name = "blk.{L}.attn_qkv",
     .fed_by = Slot::kAttentionNorm,
     .order = RowOrder::kQkvPerHead},
    {.slot = Slot::kO,
     .hf_name = "gpt_neox.layers.{L}.attention.dense",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kQkv},
    {.slot = Slot::kMlpNorm,
     .hf_name = "gpt_neox.layers.{L}.post_attention_layernorm",
     .gguf_name = "blk.{L}.ffn_norm"},
    {.slot = Slot::kUp,
     .hf_name = "gpt_neox.layers.{L}.mlp.dense_h_to_4h",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "gpt_neox.layers.{L}.mlp.dense_4h_to_h",
     .gguf_name = "blk.{L}.ffn_down"},
};
constexpr std::span<const TensorRow> kTensors[] = {kRows};

void configure(const Json& json, bool, ModelConfig& c) {
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.kv_heads = c.heads;  // no key says otherwise
  c.block.parallel = json_bool(json, "use_parallel_residual", true, "config.json");
}

}  // namespace

extern const Architecture kGptNeoX;
const Architecture kGptNeoX{
    .name = "gpt_neox",
    .classes = kGptNeoXClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {.norm_epsilon = 1e-5, .rotary_share = 0.25, .activation = "gelu"}};

}  // namespace farthing::model
