#include "kernels/float_tiles/body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels::float_tiles {

using simd::FloatAvx512;
void f32_avx512(const LinearSlice& slice) { run<FloatAvx512, F32, kAvx512Blocking>(slice); }
void bf16_avx512(const LinearSlice& slice) {
  run<FloatAvx512, Bf16Weights, kAvx512Blocking>(slice);
}
void f16_avx512(const LinearSlice& slice) { run<FloatAvx512, F16Weights, kAvx512Blocking>(slice); }

}  // namespace farthing::kernels::float_tiles
