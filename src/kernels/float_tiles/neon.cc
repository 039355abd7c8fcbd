#include "kernels/float_tiles/body.h"
#include "kernels/float_tiles/code_weights.h"
#include "simd/int_neon.h"

namespace farthing::kernels::float_tiles {

using I = simd::IntNeon;
using S = I::Float;
constexpr Blocking kBlocking = kNeonBlocking;

void f32_neon(const LinearSlice& slice) { run<S, F32, kBlocking>(slice); }
void bf16_neon(const LinearSlice& slice) { run<S, Halves<S, true>, kBlocking>(slice); }
void f16_neon(const LinearSlice& slice) { run<S, Halves<S, false>, kBlocking>(slice); }
void u2_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U2, false>, kBlocking>(slice);
}
void u3_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U3, false>, kBlocking>(slice);
}
void u4_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, false>, kBlocking>(slice);
}
void u5_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U5, false>, kBlocking>(slice);
}
void u6_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U6, false>, kBlocking>(slice);
}
void u8_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U8, false>, kBlocking>(slice);
}
void levels_neon(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, true>, kBlocking>(slice);
}

}  // namespace farthing::kernels::float_tiles
