// Attention forward and backward for training: whole sequences with their keys and values as
// floats, without a cache. Scores are made anew in the backward pass, so that nothing of the size
// of a sequence squared is kept.
#pragma once

#include <cstdint>
#include <span>

#include "core/runtime.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

// Grouped causal attention (Ainslie et al., 2023): query head h reads the keys and values of head
// h / (heads / kv_heads), at positions of its own sequence up to its own.
struct CausalAttention {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 1;
  float soft_cap = 0;                  // > 0: scores become cap * tanh(score / cap)
  std::int64_t window = 0;             // > 0: only the last so many positions
  std::span<const float> slopes = {};  // (heads) of ALiBi, or empty
  float rounded_slope_scale = 0;       // > 0: Falcon's ALiBi, as AttentionRules has it
};
struct SequenceRows {
  std::int64_t first = 0, count = 0;
};

// qkv (rows, (heads + 2 kv_heads) * head_dim): queries, keys, values; out (rows, heads * head_dim).
// The sequences cover all rows.
void attend_causally(Runtime&, const CausalAttention&, std::span<const SequenceRows>,
                     MatrixView<const float> qkv, MatrixView<float> out);
// dout (rows, heads * head_dim); dqkv, of the shape of qkv, is written.
void attend_causally_gradient(Runtime&, const CausalAttention&, std::span<const SequenceRows>,
                              MatrixView<const float> qkv, MatrixView<const float> dout,
                              MatrixView<float> dqkv);

}  // namespace farthing::kernels
