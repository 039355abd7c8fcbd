// Phi-3, Phi-3.5 and Phi-4-mini (Abdin et al., 2024): Llama with fused matrices; long contexts by
// factors a frequency (LongRoPE), maybe only part of a head rotated.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kPhi3Classes[] = {"Phi3ForCausalLM", "phi3"};
constexpr TensorRow kFused[] = {
    {.slot = Slot::kQkv,
     .hf_name = "model.layers.{L}.self_attn.qkv_proj",
     .gguf_name = "blk.{L}.attn_qkv",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kO,
     .hf_name = "model.layers.{L}.self_attn.o_proj",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kQkv},
    {.slot = Slot::kGateUp,
     .hf_name = "model.layers.{L}.mlp.gate_up_proj",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "model.layers.{L}.mlp.down_proj",
     .gguf_name = "blk.{L}.ffn_down",
     .fed_by = Slot::kGateUp},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms, kFused};

void configure(const Json& json, bool, ModelConfig& c) {
  c.windows.assign(c.windows.size(), read_window(json, 0));
}

}  // namespace

extern const Architecture kPhi3;
const Architecture kPhi3{.name = "phi3",
                         .classes = kPhi3Classes,
                         .tensors = kTensors,
                         .configure = configure,
                         .defaults = {.norm_epsilon = 1e-5, .max_positions = 4096}};

}  // namespace farthing::model
