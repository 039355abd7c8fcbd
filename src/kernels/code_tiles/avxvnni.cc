#include "kernels/code_tiles/body.h"
#include "simd/int_avxvnni.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntAvxVnni::Bytes;
using Planes = simd::IntAvxVnni::Planes;
constexpr int kTokens8 = kAvxVnniTokens8, kTokens16 = kAvxVnniTokens16;

void u4_int8_avxvnni(const LinearSlice& slice) { run<Bytes, U4, 1, kTokens8>(slice); }
void u4_int16_avxvnni(const LinearSlice& slice) { run<Planes, U4, 1, kTokens16>(slice); }
void u8_int8_avxvnni(const LinearSlice& slice) { run<Bytes, U8, 1, kTokens8>(slice); }
void u8_int16_avxvnni(const LinearSlice& slice) { run<Planes, U8, 1, kTokens16>(slice); }
void levels_int8_avxvnni(const LinearSlice& slice) { run<Bytes, Levels, 1, kTokens8>(slice); }
void levels_int16_avxvnni(const LinearSlice& slice) { run<Planes, Levels, 1, kTokens16>(slice); }

}  // namespace farthing::kernels::code_tiles
