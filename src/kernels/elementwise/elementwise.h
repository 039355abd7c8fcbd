// Norms, rotary embedding and activation functions over (tokens, features) floats.
#pragma once

#include <cstdint>
#include <span>

#include "core/runtime.h"
#include "kernels/elementwise/activation.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

// y = x / sqrt(mean(x^2) + epsilon) * weight. Zhang and Sennrich, 2019. x and y may be the same.
void rms_norm(Runtime&, MatrixView<const float> x, std::span<const float> weight, float epsilon,
              MatrixView<float> y);
// y = (x - mean) / sqrt(variance + epsilon) * weight + bias; weight and bias may be empty. Ba et
// al., 2016.
void layer_norm(Runtime&, MatrixView<const float> x, std::span<const float> weight,
                std::span<const float> bias, float epsilon, MatrixView<float> y);
// Either norm over each head of x (tokens, heads * head_dim) by itself, in place. weight is
// (head_dim), or (heads * head_dim) with one row of weights a head. `centred` asks for layer_norm.
void norm_heads(Runtime&, MatrixView<float> x, std::int64_t head_dim, std::span<const float> weight,
                float epsilon, bool centred);

// Rotates the first rotary_dim features of every head in place; table is (tokens, rotary_dim): the
// cosines of the rotary_dim / 2 frequencies at the token's position, then the sines.
// Halves: feature i pairs with i + rotary_dim / 2 (GPT-NeoX, Llama); interleaved: 2i with 2i + 1.
void rotate(Runtime&, MatrixView<float> x, std::int64_t head_dim, std::int64_t rotary_dim,
            bool interleaved, MatrixView<const float> table);

// y = f(x); x and y may be the same.
void activate(Runtime&, Activation, MatrixView<const float> x, MatrixView<float> y);
// y = f(gate) * up, where x is (tokens, 2 * features): gate then up.
void activate_gated(Runtime&, Activation, MatrixView<const float> x, MatrixView<float> y);

void add_to(Runtime&, MatrixView<const float> x, float scale,
            MatrixView<float> y);  // y += scale * x
void scale_by(Runtime&, float factor, MatrixView<float> x);
void soft_cap(Runtime&, float cap, MatrixView<float> x);  // x = cap * tanh(x / cap)

}  // namespace farthing::kernels
