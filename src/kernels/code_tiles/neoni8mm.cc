#include "kernels/code_tiles/body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntNeonProducts<simd::NeonMixedDot>::Bytes;
using Planes = simd::IntNeonProducts<simd::NeonMixedDot>::Planes;
constexpr int kTokens8 = kNeonDotTokens8, kTokens16 = kNeonDotTokens16;

void u4_int8_neoni8mm(const LinearSlice& slice) { run<Bytes, U4, 1, kTokens8>(slice); }
void u4_int16_neoni8mm(const LinearSlice& slice) { run<Planes, U4, 1, kTokens16>(slice); }
void u8_int8_neoni8mm(const LinearSlice& slice) { run<Bytes, U8, 1, kTokens8>(slice); }
void u8_int16_neoni8mm(const LinearSlice& slice) { run<Planes, U8, 1, kTokens16>(slice); }
void levels_int8_neoni8mm(const LinearSlice& slice) { run<Bytes, Levels, 1, kTokens8>(slice); }
void levels_int16_neoni8mm(const LinearSlice& slice) { run<Planes, Levels, 1, kTokens16>(slice); }

}  // namespace farthing::kernels::code_tiles
