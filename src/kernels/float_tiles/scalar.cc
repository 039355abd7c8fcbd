#include "kernels/float_tiles/body.h"
#include "kernels/float_tiles/code_weights.h"
#include "simd/int_scalar.h"

namespace farthing::kernels::float_tiles {

using I = simd::IntScalar;
using S = I::Float;
constexpr Blocking kBlocking = kScalarBlocking;

void f32_scalar(const LinearSlice& slice) { run<S, F32, kBlocking>(slice); }
void bf16_scalar(const LinearSlice& slice) { run<S, Halves<S, true>, kBlocking>(slice); }
void f16_scalar(const LinearSlice& slice) { run<S, Halves<S, false>, kBlocking>(slice); }
void u2_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U2, false>, kBlocking>(slice);
}
void u3_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U3, false>, kBlocking>(slice);
}
void u4_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, false>, kBlocking>(slice);
}
void u5_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U5, false>, kBlocking>(slice);
}
void u6_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U6, false>, kBlocking>(slice);
}
void u8_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U8, false>, kBlocking>(slice);
}
void levels_scalar(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, true>, kBlocking>(slice);
}

}  // namespace farthing::kernels::float_tiles
