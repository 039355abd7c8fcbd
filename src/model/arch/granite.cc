// Granite 3 (IBM, 2024): Llama with four multipliers.
#include "core/error.h"
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kGraniteClasses[] = {"GraniteForCausalLM", "granite"};
constexpr std::span<const TensorRow> kTensors[] = {
    kInterleavedInGguf, kDecoderEnds, kDecoderPreNorms, kDecoderAttention, kDecoderMlp};

void configure(const Json& json, bool, ModelConfig& c) {
  c.attention_scale = number_of(json, {"attention_multiplier"}, 1);
  c.embedding_scale = number_of(json, {"embedding_multiplier"}, 1);
  c.residual_scale = number_of(json, {"residual_multiplier"}, 1);
  const double divisor = number_of(json, {"logits_scaling"}, 1);
  if (!(divisor > 0)) bad_input("config.json: logits_scaling must be above 0; got {}", divisor);
  c.logit_scale = 1 / divisor;
}

}  // namespace

extern const Architecture kGranite;
const Architecture kGranite{
    .name = "granite", .classes = kGraniteClasses, .tensors = kTensors, .configure = configure};

}  // namespace farthing::model
