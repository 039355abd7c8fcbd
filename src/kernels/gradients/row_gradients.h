// What an instruction set does here: one row at a time, on plain pointers (as row_kernels.h).
#pragma once

#include <cstdint>

#include "kernels/elementwise/activation.h"

namespace farthing::kernels {

struct RowGradients {
  float (*largest)(const float* x, std::int64_t size);
  // y = exp(factor * x - shift); returns the sum of y. y may be x.
  double (*exponentials)(const float* x, float factor, float shift, std::int64_t size, float* y);
  double (*dot)(const float* x, const float* y, std::int64_t size);
  // x = factor * p * (x - shift): from the gradient of a softmax p to that of its scores.
  void (*softmax)(const float* p, float factor, float shift, std::int64_t size, float* x);
  // y = f(x) * up; up null: y = f(x). dx of dy, and dup where there is an up.
  void (*activate)(Activation f, const float* x, const float* up, const float* dy,
                   std::int64_t size, float* dx, float* dup);
  // Of y = normed * weight, where normed = (x - mean) / deviation; centred false: mean 0. weight
  // may be null; dx may be dy. weight_part = dy * normed, whose sum over rows is the weight's
  // gradient.
  void (*norm)(const float* x, std::int64_t size, const float* weight, float epsilon, bool centred,
               const float* dy, float* dx, float* weight_part);
};

extern const RowGradients kRowGradientsScalar, kRowGradientsAvx2, kRowGradientsAvx512;

}  // namespace farthing::kernels
