// Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases on queries, keys and values; the upper
// layers may have a window.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kQwen2Classes[] = {"Qwen2ForCausalLM", "qwen2"};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kDecoderMlp};

void configure(const Json& json, bool, ModelConfig& c) { set_qwen_windows(json, c); }

}  // namespace

void set_qwen_windows(const Json& json, ModelConfig& c) {
  const bool used = json_bool(json, "use_sliding_window", false, "config.json");
  const std::int64_t first = int_of(json, {"max_window_layers"}, 28);
  set_windows(
      json, used ? read_window(json, 4096) : 0, [&](std::int64_t layer) { return layer >= first; },
      c);
}

extern const Architecture kQwen2;
const Architecture kQwen2{.name = "qwen2",
                          .classes = kQwen2Classes,
                          .tensors = kTensors,
                          .configure = configure,
                          .defaults = {.max_positions = 32768}};

}  // namespace farthing::model
