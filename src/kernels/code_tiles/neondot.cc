#include "kernels/code_tiles/body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels::code_tiles {

using Small = simd::IntNeonProducts<simd::NeonSmallDot>;
using Shifted = simd::IntNeonProducts<simd::NeonShiftedDot>;
constexpr int kTokens8 = kNeonDotTokens8, kTokens16 = kNeonDotTokens16;

void u4_int8_neondot(const LinearSlice& slice) { run<Small::Bytes, U4, 1, kTokens8>(slice); }
void u4_int16_neondot(const LinearSlice& slice) { run<Small::Planes, U4, 1, kTokens16>(slice); }
void u8_int8_neondot(const LinearSlice& slice) { run<Shifted::Bytes, U8, 1, kTokens8>(slice); }
void u8_int16_neondot(const LinearSlice& slice) { run<Shifted::Planes, U8, 1, kTokens16>(slice); }
void levels_int8_neondot(const LinearSlice& slice) {
  run<Shifted::Bytes, Levels, 1, kTokens8>(slice);
}
void levels_int16_neondot(const LinearSlice& slice) {
  run<Shifted::Planes, Levels, 1, kTokens16>(slice);
}

}  // namespace farthing::kernels::code_tiles
