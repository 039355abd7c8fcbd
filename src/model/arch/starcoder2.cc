// StarCoder2 (Lozhkov et al., 2024): layer norms and biases, an MLP without a gate, a window.
#include "model/arch/llama.h"

namespace farthing::model {
namespace {

constexpr std::string_view kStarCoder2Classes[] = {"Starcoder2ForCausalLM", "starcoder2"};
constexpr TensorRow kMlp[] = {
    {.slot = Slot::kUp,
     .hf_name = "model.layers.{L}.mlp.c_fc",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "model.layers.{L}.mlp.c_proj",
     .gguf_name = "blk.{L}.ffn_down"},
};
constexpr std::span<const TensorRow> kTensors[] = {kDecoderEnds, kDecoderPreNorms,
                                                   kDecoderAttention, kMlp};

void configure(const Json& json, bool, ModelConfig& c) {
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.windows.assign(c.windows.size(), read_window(json, 0));
}

}  // namespace

extern const Architecture kStarCoder2;
const Architecture kStarCoder2{.name = "starcoder2",
                               .classes = kStarCoder2Classes,
                               .tensors = kTensors,
                               .configure = configure,
                               .defaults = {.norm_epsilon = 1e-5,
                                            .activation = "gelu_pytorch_tanh",
                                            .tied = true,
                                            .max_positions = 4096}};

}  // namespace farthing::model
