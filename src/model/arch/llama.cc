// Llama 1, 2, 3 (Touvron et al., 2023; Llama Team, 2024): RMSNorm, rotary embedding by halves,
// grouped queries, gated SiLU MLP; biases where the checkpoint has them.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kClasses[] = {"LlamaForCausalLM", "llama"};

constexpr std::span<const TensorRow> kTensors[] = {
    kInterleavedInGguf, kDecoderEnds, kDecoderPreNorms, kDecoderAttention, kDecoderMlp};

void configure(const Json&, bool, ModelConfig&) {}

}  // namespace

extern const Architecture kLlama;
const Architecture kLlama{
    .name = "llama", .classes = kClasses, .tensors = kTensors, .configure = configure};

}  // namespace farthing::model
