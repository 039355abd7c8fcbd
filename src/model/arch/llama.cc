// Llama 1, 2, 3 (Touvron et al., 2023; Llama Team, 2024): RMSNorm, rotary embedding by halves,
// grouped queries, gated SiLU MLP; biases where the checkpoint has them.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kClasses[] = {"LlamaForCausalLM", "llama"};

// llama.cpp keeps the rows of Q and K in the order of interleaved rotary pairs.
constexpr TensorRow kAttention[] = {
    {.slot = Slot::kQ,
     .hf_name = "model.layers.{L}.self_attn.q_proj",
     .gguf_name = "blk.{L}.attn_q",
     .fed_by = Slot::kAttentionNorm,
     .gguf_order = RowOrder::kRopeInterleaved},
    {.slot = Slot::kK,
     .hf_name = "model.layers.{L}.self_attn.k_proj",
     .gguf_name = "blk.{L}.attn_k",
     .fed_by = Slot::kAttentionNorm,
     .gguf_order = RowOrder::kRopeInterleaved},
};
constexpr std::span<const TensorRow> kTensors[] = {kAttention, kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kDecoderMlp};

void configure(const Json&, bool, ModelConfig&) {}

}  // namespace

extern const Architecture kLlama;
const Architecture kLlama{
    .name = "llama", .classes = kClasses, .tensors = kTensors, .configure = configure};

}  // namespace farthing::model
