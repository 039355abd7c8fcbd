// OLMo 2 (OLMo Team, 2024): no norms before the branches but after them; queries and keys are
// normed over the whole projection.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kOlmo2Classes[] = {"Olmo2ForCausalLM", "olmo2"};
constexpr TensorRow kNorms[] = {
    {.slot = Slot::kPostAttentionNorm,
     .hf_name = "model.layers.{L}.post_attention_layernorm",
     .gguf_name = "blk.{L}.post_attention_norm",
     .fed_by = Slot::kO},
    {.slot = Slot::kPostMlpNorm,
     .hf_name = "model.layers.{L}.post_feedforward_layernorm",
     .gguf_name = "blk.{L}.post_ffw_norm",
     .fed_by = Slot::kDown},
};
constexpr TensorRow kLinears[] = {
    {.slot = Slot::kQ,
     .hf_name = "model.layers.{L}.self_attn.q_proj",
     .gguf_name = "blk.{L}.attn_q"},
    {.slot = Slot::kK,
     .hf_name = "model.layers.{L}.self_attn.k_proj",
     .gguf_name = "blk.{L}.attn_k"},
    {.slot = Slot::kV,
     .hf_name = "model.layers.{L}.self_attn.v_proj",
     .gguf_name = "blk.{L}.attn_v"},
    {.slot = Slot::kO,
     .hf_name = "model.layers.{L}.self_attn.o_proj",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kV},
    {.slot = Slot::kGate,
     .hf_name = "model.layers.{L}.mlp.gate_proj",
     .gguf_name = "blk.{L}.ffn_gate"},
    {.slot = Slot::kUp, .hf_name = "model.layers.{L}.mlp.up_proj", .gguf_name = "blk.{L}.ffn_up"},
    {.slot = Slot::kDown,
     .hf_name = "model.layers.{L}.mlp.down_proj",
     .gguf_name = "blk.{L}.ffn_down",
     .fed_by = Slot::kUp},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kNorms, kLinears, kHeadNorms};

void configure(const Json&, bool, ModelConfig& c) {
  c.block.head_norm = HeadNorm::kWholeProjection;
}

}  // namespace

extern const Architecture kOlmo2;
const Architecture kOlmo2{.name = "olmo2",
                          .classes = kOlmo2Classes,
                          .tensors = kTensors,
                          .configure = configure,
                          .defaults = {.norm_epsilon = 1e-5}};

}  // namespace farthing::model
