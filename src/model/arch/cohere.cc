// Command R and R7B (Cohere, 2024): layer norms without biases, attention and MLP side by side on
// one norm, RoPE on neighbouring features; Cohere2 rotates only in its layers with a window.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kCohereClasses[] = {"CohereForCausalLM", "cohere"};
constexpr std::string_view kCohere2Classes[] = {"Cohere2ForCausalLM", "cohere2"};
constexpr TensorRow kNorm[] = {
    {.slot = Slot::kAttentionNorm,
     .hf_name = "model.layers.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kNorm, kDecoderAttention,
                                                   kHeadNorms, kDecoderMlp};

void configure_both(const Json& json, ModelConfig& c) {
  c.block.norm = NormKind::kLayer;
  c.block.parallel = true;
  c.block.rope_interleaved = true;
  c.logit_scale = number_of(json, {"logit_scale"}, 0.0625);
}

void configure(const Json& json, bool, ModelConfig& c) {
  configure_both(json, c);
  if (json_bool(json, "use_qk_norm", false, "config.json")) {
    c.block.head_norm = HeadNorm::kPerHead;
    c.block.head_norm_centred = true;
  }
}

void configure2(const Json& json, bool, ModelConfig& c) {
  configure_both(json, c);
  c.block.rope_only_with_window = true;
  const std::int64_t pattern = positive_int(json, "sliding_window_pattern", 4);
  set_windows(
      json, read_window(json, 4096), [&](std::int64_t layer) { return (layer + 1) % pattern != 0; },
      c);
}

}  // namespace

extern const Architecture kCohere;
const Architecture kCohere{
    .name = "cohere",
    .classes = kCohereClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {.norm_epsilon = 1e-5, .rope_theta = 500000, .tied = true, .max_positions = 8192}};
extern const Architecture kCohere2;
const Architecture kCohere2{
    .name = "cohere2",
    .classes = kCohere2Classes,
    .tensors = kTensors,
    .configure = configure2,
    .defaults = {.norm_epsilon = 1e-5, .tied = true, .max_positions = 8192}};

}  // namespace farthing::model
