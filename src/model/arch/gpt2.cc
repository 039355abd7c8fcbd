// GPT-2 (Radford et al., 2019): learned positions, fused queries, keys and values, matrices stored
// as (in, out).
#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kGpt2Classes[] = {"GPT2LMHeadModel", "gpt2"};
constexpr TensorRow kRows[] = {
    {.slot = Slot::kEmbedding, .hf_name = "transformer.wte", .gguf_name = "token_embd"},
    {.slot = Slot::kPositionEmbedding, .hf_name = "transformer.wpe", .gguf_name = "position_embd"},
    {.slot = Slot::kFinalNorm, .hf_name = "transformer.ln_f", .gguf_name = "output_norm"},
    {.slot = Slot::kHead, .hf_name = "lm_head", .gguf_name = "output", .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "transformer.h.{L}.ln_1",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kQkv,
     .hf_name = "transformer.h.{L}.attn.c_attn",
     .gguf_name = "blk.{L}.attn_qkv",
     .fed_by = Slot::kAttentionNorm,
     .transposed = true},
    {.slot = Slot::kO,
     .hf_name = "transformer.h.{L}.attn.c_proj",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kQkv,
     .transposed = true},
    {.slot = Slot::kMlpNorm, .hf_name = "transformer.h.{L}.ln_2", .gguf_name = "blk.{L}.ffn_norm"},
    {.slot = Slot::kUp,
     .hf_name = "transformer.h.{L}.mlp.c_fc",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm,
     .transposed = true},
    {.slot = Slot::kDown,
     .hf_name = "transformer.h.{L}.mlp.c_proj",
     .gguf_name = "blk.{L}.ffn_down",
     .transposed = true},
};
constexpr std::span<const TensorRow> kTensors[] = {kRows};

void configure(const Json& json, bool, ModelConfig& c) {
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.block.position = PositionKind::kLearned;
  if (!json_bool(json, "scale_attn_weights", true, "config.json")) c.attention_scale = 1;
  c.scale_by_layer = json_bool(json, "scale_attn_by_inverse_layer_idx", false, "config.json");
}

}  // namespace

extern const Architecture kGpt2;
const Architecture kGpt2{
    .name = "gpt2",
    .classes = kGpt2Classes,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {
        .norm_epsilon = 1e-5, .activation = "gelu_new", .tied = true, .max_positions = 1024}};

}  // namespace farthing::model
