// The backward pass of what elementwise.h and attention.h compute forward, for training. Sums run
// in a fixed order: neither threads nor instruction sets change a bit.
#pragma once

#include <cstdint>
#include <span>

#include "core/runtime.h"
#include "kernels/elementwise/activation.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

// Of rms_norm() and layer_norm() (centred) with input x (rows, n): dy becomes dx in place;
// weight_parts (rows, n) get each row's share of the weight's gradient (add_column_sums() adds them
// up). weight may be empty: all ones.
void norm_gradient(Runtime&, MatrixView<const float> x, std::span<const float> weight,
                   float epsilon, bool centred, MatrixView<float> dy,
                   MatrixView<float> weight_parts);
// Of norm_heads(), each head of x (rows, heads * head_dim) by itself.
void norm_heads_gradient(Runtime&, MatrixView<const float> x, std::int64_t head_dim,
                         std::span<const float> weight, float epsilon, bool centred,
                         MatrixView<float> dy, MatrixView<float> weight_parts);

// Of activate(): dx (rows, n). dx may be dy.
void activate_gradient(Runtime&, Activation, MatrixView<const float> x, MatrixView<const float> dy,
                       MatrixView<float> dx);
// Of activate_gated(): x and dx (rows, 2 n), gate then up; dy (rows, n).
void activate_gated_gradient(Runtime&, Activation, MatrixView<const float> x,
                             MatrixView<const float> dy, MatrixView<float> dx);

// sums (n) += the columns' sums of x (rows, n), in ascending rows.
void add_column_sums(Runtime&, MatrixView<const float> x, std::span<float> sums);

// y = softmax(factor * x) of one row, on the calling thread; returns log sum exp(factor * x). y may
// be x. Not finite when the row is not.
double softmax_row(IsaSet isas, std::span<const float> x, float factor, std::span<float> y);

}  // namespace farthing::kernels
