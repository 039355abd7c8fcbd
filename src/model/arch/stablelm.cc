// StableLM 2 (Bellagente et al., 2024): layer norms, part of a head rotated, maybe norms of its own
// for each head and both branches side by side.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kStableLmClasses[] = {"StableLmForCausalLM", "stablelm"};
constexpr TensorRow kNormsOfHeads[] = {
    {.slot = Slot::kQNorm,
     .hf_name = "model.layers.{L}.self_attn.q_layernorm.norms.{H}",
     .gguf_name = "blk.{L}.attn_q_norm",
     .fed_by = Slot::kQ},
    {.slot = Slot::kKNorm,
     .hf_name = "model.layers.{L}.self_attn.k_layernorm.norms.{H}",
     .gguf_name = "blk.{L}.attn_k_norm",
     .fed_by = Slot::kK},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kNormsOfHeads, kDecoderMlp};

void configure(const Json& json, bool, ModelConfig& c) {
  c.block.norm = NormKind::kLayer;
  c.block.parallel = json_bool(json, "use_parallel_residual", false, "config.json");
  if (json_bool(json, "qk_layernorm", false, "config.json")) {
    c.block.head_norm = HeadNorm::kPerHead;
    c.block.head_norm_centred = true;
  }
}

}  // namespace

extern const Architecture kStableLm;
const Architecture kStableLm{
    .name = "stablelm",
    .classes = kStableLmClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {.norm_epsilon = 1e-5, .rotary_share = 0.25, .max_positions = 4096}};

}  // namespace farthing::model
