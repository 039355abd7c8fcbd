// Qwen3 (Yang et al., 2025), dense and with experts: queries and keys are normed head by head.
#include "core/error.h"
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kQwen3Classes[] = {"Qwen3ForCausalLM", "qwen3"};
constexpr std::string_view kQwen3MoeClasses[] = {"Qwen3MoeForCausalLM", "qwen3_moe"};
constexpr TensorRow kExperts[] = {
    {.slot = Slot::kRouter,
     .hf_name = "model.layers.{L}.mlp.gate",
     .gguf_name = "blk.{L}.ffn_gate_inp",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertGate,
     .hf_name = "model.layers.{L}.mlp.experts.{E}.gate_proj",
     .gguf_name = "blk.{L}.ffn_gate_exps",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertUp,
     .hf_name = "model.layers.{L}.mlp.experts.{E}.up_proj",
     .gguf_name = "blk.{L}.ffn_up_exps",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertDown,
     .hf_name = "model.layers.{L}.mlp.experts.{E}.down_proj",
     .gguf_name = "blk.{L}.ffn_down_exps",
     .fed_by = Slot::kExpertUp},
    {.slot = Slot::kExpertGateUp,
     .hf_name = "model.layers.{L}.mlp.experts.gate_up_proj",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kExpertDown,
     .hf_name = "model.layers.{L}.mlp.experts.down_proj",
     .fed_by = Slot::kExpertGateUp},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kHeadNorms, kDecoderMlp};
constexpr std::span<const TensorRow> kMoeTensors[] = {
    kDecoderEnds, kDecoderPreNorms, kDecoderAttention, kHeadNorms, kDecoderMlp, kExperts};

void configure(const Json& json, bool, ModelConfig& c) {
  c.block.head_norm = HeadNorm::kPerHead;
  set_qwen_windows(json, c);
}

void configure_experts(const Json& json, bool, ModelConfig& c) {
  c.block.head_norm = HeadNorm::kPerHead;
  if (json_bool(json, "use_sliding_window", false, "config.json"))
    c.windows.assign(c.windows.size(), read_window(json, 4096));
  c.experts = int_of(json, {"num_experts", "num_local_experts"}, 128);
  c.experts_per_token = int_of(json, {"num_experts_per_tok"}, 8);
  c.expert_intermediate = int_of(json, {"moe_intermediate_size"}, 768);
  c.normalize_expert_weights = json_bool(json, "norm_topk_prob", false, "config.json");
  const std::int64_t step = int_of(json, {"decoder_sparse_step"}, 1);
  if (step < 1) bad_input("config.json: decoder_sparse_step must be at least 1; got {}", step);
  for (std::int64_t layer = 0; layer < c.layers; ++layer)
    c.sparse_layers.push_back((layer + 1) % step == 0);
  const Json* dense = json_find(json, "mlp_only_layers");
  if (dense == nullptr || dense->is_null()) return;
  for (const Json& layer : *dense) {
    if (!layer.is_number_unsigned() || layer.get<std::uint64_t>() >= c.sparse_layers.size())
      bad_input("config.json: mlp_only_layers must be a list of layers from 0 to {}", c.layers - 1);
    c.sparse_layers[layer.get<std::size_t>()] = false;
  }
}

}  // namespace

extern const Architecture kQwen3;
const Architecture kQwen3{.name = "qwen3",
                          .classes = kQwen3Classes,
                          .tensors = kTensors,
                          .configure = configure,
                          .defaults = {.head_dim = 128, .max_positions = 32768}};
extern const Architecture kQwen3Moe;
const Architecture kQwen3Moe{.name = "qwen3_moe",
                             .classes = kQwen3MoeClasses,
                             .tensors = kMoeTensors,
                             .configure = configure_experts,
                             .defaults = {.max_positions = 32768}};

}  // namespace farthing::model
