// What an instruction set does here: one row at a time, on plain pointers. The files of an
// instruction set include nothing whose inline functions the linker could hand to other code.
#pragma once

#include <cstdint>

#include "kernels/elementwise/activation.h"

namespace farthing::kernels {

struct RowKernels {
  // weight and bias may be null; y may be x.
  void (*norm)(const float* x, std::int64_t size, const float* weight, const float* bias,
               float epsilon, bool centred, float* y);
  // One head; half is rotary_dim / 2.
  void (*rotate)(float* x, const float* cosines, const float* sines, std::int64_t half,
                 bool interleaved);
  // y = f(x) * up, or f(x) when up is null; y may be x.
  void (*activate)(Activation f, const float* x, const float* up, std::int64_t size, float* y);
  void (*add)(const float* x, float scale, std::int64_t size, float* y);
  void (*scale)(float factor, std::int64_t size, float* x);
  void (*soft_cap)(float cap, std::int64_t size, float* x);
};

extern const RowKernels kRowKernelsScalar, kRowKernelsAvx2, kRowKernelsAvx512, kRowKernelsNeon;

}  // namespace farthing::kernels
