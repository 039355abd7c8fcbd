// The rows that the Llama family shares; others put theirs before or after them.
#pragma once

#include "model/architecture.h"

namespace farthing::model {

inline constexpr TensorRow kDecoderEnds[] = {
    {.slot = Slot::kEmbedding, .hf_name = "model.embed_tokens", .gguf_name = "token_embd"},
    {.slot = Slot::kFinalNorm, .hf_name = "model.norm", .gguf_name = "output_norm"},
    {.slot = Slot::kHead, .hf_name = "lm_head", .gguf_name = "output", .fed_by = Slot::kFinalNorm},
    {.slot = Slot::kRopeFactors, .hf_name = "", .gguf_name = "rope_freqs"},
};
inline constexpr TensorRow kDecoderPreNorms[] = {
    {.slot = Slot::kAttentionNorm,
     .hf_name = "model.layers.{L}.input_layernorm",
     .gguf_name = "blk.{L}.attn_norm"},
    {.slot = Slot::kMlpNorm,
     .hf_name = "model.layers.{L}.post_attention_layernorm",
     .gguf_name = "blk.{L}.ffn_norm"},
};
// llama.cpp keeps the rows of Q and K of some families in the order of interleaved rotary pairs.
inline constexpr TensorRow kInterleavedInGguf[] = {
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
inline constexpr TensorRow kDecoderAttention[] = {
    {.slot = Slot::kQ,
     .hf_name = "model.layers.{L}.self_attn.q_proj",
     .gguf_name = "blk.{L}.attn_q",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kK,
     .hf_name = "model.layers.{L}.self_attn.k_proj",
     .gguf_name = "blk.{L}.attn_k",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kV,
     .hf_name = "model.layers.{L}.self_attn.v_proj",
     .gguf_name = "blk.{L}.attn_v",
     .fed_by = Slot::kAttentionNorm},
    {.slot = Slot::kO,
     .hf_name = "model.layers.{L}.self_attn.o_proj",
     .gguf_name = "blk.{L}.attn_output",
     .fed_by = Slot::kV},
};
inline constexpr TensorRow kDecoderMlp[] = {
    {.slot = Slot::kGate,
     .hf_name = "model.layers.{L}.mlp.gate_proj",
     .gguf_name = "blk.{L}.ffn_gate",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kUp,
     .hf_name = "model.layers.{L}.mlp.up_proj",
     .gguf_name = "blk.{L}.ffn_up",
     .fed_by = Slot::kMlpNorm},
    {.slot = Slot::kDown,
     .hf_name = "model.layers.{L}.mlp.down_proj",
     .gguf_name = "blk.{L}.ffn_down",
     .fed_by = Slot::kUp},
};
inline constexpr TensorRow kHeadNorms[] = {
    {.slot = Slot::kQNorm,
     .hf_name = "model.layers.{L}.self_attn.q_norm",
     .gguf_name = "blk.{L}.attn_q_norm",
     .fed_by = Slot::kQ},
    {.slot = Slot::kKNorm,
     .hf_name = "model.layers.{L}.self_attn.k_norm",
     .gguf_name = "blk.{L}.attn_k_norm",
     .fed_by = Slot::kK},
};

// Layers from max_window_layers on have the window, where use_sliding_window switches it on.
void set_qwen_windows(const Json& json, ModelConfig& c);

}  // namespace farthing::model
