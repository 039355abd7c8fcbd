// Mistral 7B (Jiang et al., 2023): Llama whose layers all look through a window.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kMistralClasses[] = {"MistralForCausalLM", "mistral"};
constexpr std::span<const TensorRow> kTensors[] = {
    kInterleavedInGguf, kDecoderEnds, kDecoderPreNorms, kDecoderAttention, kDecoderMlp};

void configure(const Json& json, bool, ModelConfig& c) {
  c.windows.assign(c.windows.size(), read_window(json, 4096));
}

}  // namespace

extern const Architecture kMistral;
const Architecture kMistral{.name = "mistral",
                            .classes = kMistralClasses,
                            .tensors = kTensors,
                            .configure = configure,
                            .defaults = {.max_positions = 131072}};

}  // namespace farthing::model
