#include "kernels/float_tiles/body.h"
#include "kernels/float_tiles/code_weights.h"
#include "simd/int_avx512.h"

namespace farthing::kernels::float_tiles {

using I = simd::IntAvx512;
using S = I::Float;
constexpr Blocking kBlocking = kAvx512Blocking;

void f32_avx512(const LinearSlice& slice) { run<S, F32, kBlocking>(slice); }
void bf16_avx512(const LinearSlice& slice) { run<S, Halves<S, true>, kBlocking>(slice); }
void f16_avx512(const LinearSlice& slice) { run<S, Halves<S, false>, kBlocking>(slice); }
// A table of at most 16 levels is one permutation, cheaper than a conversion.
void u2_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U2, true>, kBlocking>(slice);
}
void u3_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U3, true>, kBlocking>(slice);
}
void u4_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, true>, kBlocking>(slice);
}
void u5_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U5, false>, kBlocking>(slice);
}
void u6_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U6, false>, kBlocking>(slice);
}
void u8_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U8, false>, kBlocking>(slice);
}
void levels_avx512(const LinearSlice& slice) {
  run<S, CodeWeights<I, code_tiles::U4, true>, kBlocking>(slice);
}

}  // namespace farthing::kernels::float_tiles
