// OPT (Zhang et al., 2022): learned positions from row 2 on, biases, ReLU; the 350M has its norms
// after the additions and embeddings narrower than the stream.
#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kOptClasses[] = {"OPTForCausalLM", "opt"};
constexpr TensorRow kRows[] = {
    {.slot = Slot::kEmbedding, .hf_name = "model.decoder.embed_tokens", .gguf_name = "token_embd"},
    {.slot = Slot::kPositionEmbedding,
     .hf_name = "model.decoder.embed_positions",
     .gguf_name = "position_embd"},
    {.slot = Slot::kProjectIn, .hf_name = "model.decoder.project_in"},
    {.slot = Slot::kProjectOut, .hf_name = "model.decoder.project_out"},
    {.slot = Slot::kFinalNorm,
     .hf_name = "model.decoder.final_layer_norm",
     .gguf_name = "output_norm"},
    {.slot = Slot::kHead, .hf_name = "lm_head", .gguf_name = "output", .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kAttentionNorm,
     .hf_name = "model.decoder.layers.{L}.self_attn_layer_norm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kQ,
     .hf_name = "model.decoder.layers.{L}.self_attn.q_proj",
     .gguf_name = "blk.{L}.attn_q",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kK,
     .hf_name = "model.decoder.layers.{L}.self_attn.k_proj",
     .gguf_name = "blk.{L}.attn_k",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kV,
     .hf_name = "model.decoder.layers.{L}.self_attn.v_proj",
     .gguf_name = "blk.{L}.attn_v",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kO,
     .hf_name = "model.decoder.layers.{L}.self_attn.out_proj",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kV},
    {.slot = Slot::kMlpNorm,
     .hf_name = "model.decoder.layers.{L}.final_layer_norm",
     .gguf_name = "blk.{L}.ffn_norm"},
    {.slot = Slot::kUp,
     .hf_name = "model.decoder.layers.{L}.fc1",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "model.decoder.layers.{L}.fc2",
     .gguf_name = "blk.{L}.ffn_down"},
};
constexpr std::span<const TensorRow> kTensors[] = {kRows};

void configure(const Json& json, bool, ModelConfig& c) {
  constexpr std::string_view kWhere = "config.json";
  c.block.norm = NormKind::kLayer;
  c.block.gated = false;
  c.block.position = PositionKind::kLearned;
  c.position_offset = 2;
  c.norm_epsilon = 1e-5;  // no key says it
  c.embedding_dim = int_of(json, {"word_embed_proj_dim"}, c.hidden);
  c.block.norm_after_add = !json_bool(json, "do_layer_norm_before", true, kWhere);
  c.block.final_norm =
      !c.block.norm_after_add && !json_bool(json, "_remove_final_layer_norm", false, kWhere);
  c.block.plain_norms = !json_bool(json, "layer_norm_elementwise_affine", true, kWhere);
  c.block.plain_final_norm = c.block.plain_norms;
}

}  // namespace

extern const Architecture kOpt;
const Architecture kOpt{.name = "opt",
                        .classes = kOptClasses,
                        .tensors = kTensors,
                        .configure = configure,
                        .defaults = {.norm_epsilon = 1e-5, .activation = "relu", .tied = true}};

}  // namespace farthing::model
