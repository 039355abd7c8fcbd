// Mixtral (Jiang et al., 2024): Mistral whose MLP is a mixture of experts.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kMixtralClasses[] = {"MixtralForCausalLM", "mixtral"};
constexpr TensorRow kExperts[] = {
    {.slot = Slot::kRouter,
     .hf_name = "model.layers.{L}.block_sparse_moe.gate",
     .gguf_name = "blk.{L}.ffn_gate_inp",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kRouter, .hf_name = "model.layers.{L}.mlp.gate", .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertGate,
     .hf_name = "model.layers.{L}.block_sparse_moe.experts.{E}.w1",
     .gguf_name = "blk.{L}.ffn_gate_exps",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertUp,
     .hf_name = "model.layers.{L}.block_sparse_moe.experts.{E}.w3",
     .gguf_name = "blk.{L}.ffn_up_exps",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertDown,
     .hf_name = "model.layers.{L}.block_sparse_moe.experts.{E}.w2",
     .gguf_name = "blk.{L}.ffn_down_exps",
     .fed_by = Slot::kExpertUp},
    {.slot = Slot::kExpertGateUp,
     .hf_name = "model.layers.{L}.mlp.experts.gate_up_proj",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertDown,
     .hf_name = "model.layers.{L}.mlp.experts.down_proj",
     .fed_by = Slot::kExpertGateUp},
};
constexpr std::span<const TensorRow> kTensors[] = {kInterleavedInGguf, kDecoderEnds,
                                                   kDecoderPreNorms, kDecoderAttention, kExperts};

void configure(const Json& json, bool, ModelConfig& c) {
  c.windows.assign(c.windows.size(), read_window(json, 0));
  c.experts = int_of(json, {"num_local_experts", "num_experts"}, 8);
  c.experts_per_token = int_of(json, {"num_experts_per_tok"}, 2);
  c.expert_intermediate = c.intermediate;
  c.sparse_layers.assign(c.windows.size(), true);
}

}  // namespace

extern const Architecture kMixtral;
const Architecture kMixtral{
    .name = "mixtral",
    .classes = kMixtralClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {.norm_epsilon = 1e-5, .rope_theta = 1e6, .max_positions = 131072}};

}  // namespace farthing::model
