#include "kernels/float_tiles/body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels::float_tiles {

using simd::FloatAvx2;
void f32_avx2(const LinearSlice& slice) { run<FloatAvx2, F32, kAvx2Blocking>(slice); }
void bf16_avx2(const LinearSlice& slice) { run<FloatAvx2, Bf16Weights, kAvx2Blocking>(slice); }
void f16_avx2(const LinearSlice& slice) { run<FloatAvx2, F16Weights, kAvx2Blocking>(slice); }

}  // namespace farthing::kernels::float_tiles
