// Gemma 1, 2 and 3 (Gemma Team, 2024, 2025), text: norms that keep weight - 1, embeddings scaled by
// the root of the width; from 2 on norms after the branches, soft caps and layers with a window;
// from 3 on head norms and a RoPE of its own where there is a window.
#include <cmath>

#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kGemmaClasses[] = {"GemmaForCausalLM", "gemma"};
constexpr std::string_view kGemma2Classes[] = {"Gemma2ForCausalLM", "gemma2"};
constexpr std::string_view kGemma3Classes[] = {"Gemma3ForCausalLM", "gemma3_text"};
constexpr TensorRow kNorms[] = {
    {.slot = Slot::kAttentionNorm,
     .hf_name = "model.layers.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kPostAttentionNorm,
     .hf_name = "model.layers.{L}.post_attention_layernorm",
     .gguf_name = "blk.{L}.post_attention_norm",
     .fed_by = Slot::kO},
    {.slot = Slot::kMlpNorm,
     .hf_name = "model.layers.{L}.pre_feedforward_layernorm",
     .gguf_name = "blk.{L}.ffn_norm"},
    {.slot = Slot::kPostMlpNorm,
     .hf_name = "model.layers.{L}.post_feedforward_layernorm",
     .gguf_name = "blk.{L}.post_ffw_norm",
     .fed_by = Slot::kDown},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kDecoderMlp};
constexpr std::span<const TensorRow> kTensors2[] = {kDecoderEnds, kNorms, kDecoderAttention,
                                                    kDecoderMlp};
constexpr std::span<const TensorRow> kTensors3[] = {kDecoderEnds, kNorms, kDecoderAttention,
                                                    kHeadNorms, kDecoderMlp};

void configure(const Json& json, bool gguf, ModelConfig& c) {
  c.block.norm_plus_one = !gguf;  // llama.cpp's converter has added the one
  c.embedding_scale = std::sqrt(static_cast<double>(c.hidden));
  // Early files say "gelu" and mean its approximation.
  if (text_of(json, {"hidden_act"}, "") == "gelu") c.activation = kernels::Activation::kGeluTanh;
}

void configure_later(const Json& json, bool gguf, ModelConfig& c) {
  c.block.norm_plus_one = !gguf;
  c.embedding_scale = std::sqrt(static_cast<double>(c.hidden));
  const std::string activation = text_of(json, {"hidden_activation"}, "");
  if (!activation.empty()) c.activation = kernels::parse_activation(activation);
  c.attention_scale = 1 / std::sqrt(number_of(json, {"query_pre_attn_scalar"}, 256));
}

// A key that is absent has the default, one that is null switches the cap off.
double soft_cap(const Json& json, std::string_view key, double otherwise) {
  const Json* value = json_find(json, key);
  return value != nullptr && value->is_null() ? 0 : number_of(json, {key}, otherwise);
}

void configure2(const Json& json, bool gguf, ModelConfig& c) {
  configure_later(json, gguf, c);
  c.attention_soft_cap = soft_cap(json, "attn_logit_softcapping", 50);
  c.final_soft_cap = soft_cap(json, "final_logit_softcapping", 30);
  set_windows(json, read_window(json, 4096), [](std::int64_t layer) { return layer % 2 == 0; }, c);
}

void configure3(const Json& json, bool gguf, ModelConfig& c) {
  configure_later(json, gguf, c);
  c.block.head_norm = HeadNorm::kPerHead;
  c.attention_soft_cap = soft_cap(json, "attn_logit_softcapping", 0);
  c.final_soft_cap = soft_cap(json, "final_logit_softcapping", 0);
  const std::int64_t pattern = positive_int(json, "sliding_window_pattern", 6);
  set_windows(
      json, read_window(json, 4096), [&](std::int64_t layer) { return (layer + 1) % pattern != 0; },
      c);
  const Json* parameters = json_find(json, "rope_parameters");
  if (parameters == nullptr || parameters->is_null())  // the older spelling: only one is scaled
    c.local_rope =
        read_rope(json, nullptr, number_of(json, {"rope_local_base_freq"}, 10000), c.max_positions);
}

}  // namespace

extern const Architecture kGemma;
const Architecture kGemma{
    .name = "gemma",
    .classes = kGemmaClasses,
    .tensors = kTensors,
    .configure = configure,
    .defaults = {
        .head_dim = 256, .activation = "gelu_pytorch_tanh", .tied = true, .max_positions = 8192}};
extern const Architecture kGemma2;
const Architecture kGemma2{
    .name = "gemma2",
    .classes = kGemma2Classes,
    .tensors = kTensors2,
    .configure = configure2,
    .defaults = {
        .head_dim = 256, .activation = "gelu_pytorch_tanh", .tied = true, .max_positions = 8192}};
extern const Architecture kGemma3;
const Architecture kGemma3{.name = "gemma3",
                           .classes = kGemma3Classes,
                           .tensors = kTensors3,
                           .configure = configure3,
                           .defaults = {.rope_theta = 1e6,
                                        .head_dim = 256,
                                        .activation = "gelu_pytorch_tanh",
                                        .tied = true,
                                        .max_positions = 131072}};

}  // namespace farthing::model
