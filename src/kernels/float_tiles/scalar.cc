#include "kernels/float_tiles/body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels::float_tiles {

using simd::FloatScalar;
void f32_scalar(const LinearSlice& slice) { run<FloatScalar, F32, kScalarBlocking>(slice); }
void bf16_scalar(const LinearSlice& slice) {
  run<FloatScalar, Bf16Weights, kScalarBlocking>(slice);
}
void f16_scalar(const LinearSlice& slice) { run<FloatScalar, F16Weights, kScalarBlocking>(slice); }

}  // namespace farthing::kernels::float_tiles
