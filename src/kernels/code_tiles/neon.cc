#include "kernels/code_tiles/body.h"
#include "kernels/code_tiles/quantize_body.h"
#include "simd/int_neon.h"

namespace farthing::kernels::code_tiles {

using Isa = simd::IntNeon;
using Words = Isa::Words;
constexpr int kTokens = kNeonTokens;

void u4_int8_neon(const LinearSlice& slice) { run<Words, U4, 1, kTokens>(slice); }
void u4_int16_neon(const LinearSlice& slice) { run<Words, U4, 1, kTokens>(slice); }
void u8_int8_neon(const LinearSlice& slice) { run<Words, U8, 1, kTokens>(slice); }
void u8_int16_neon(const LinearSlice& slice) { run<Words, U8, 1, kTokens>(slice); }
void levels_int8_neon(const LinearSlice& slice) { run<Words, Levels, 1, kTokens>(slice); }
void levels_int16_neon(const LinearSlice& slice) { run<Words, Levels, 1, kTokens>(slice); }

void bytes_neon(const QuantizeTask& task) { quantize<Isa, AsBytes<Isa>>(task); }
void planes_neon(const QuantizeTask& task) { quantize<Isa, AsPlanes<Isa>>(task); }
void words_neon(const QuantizeTask& task) { quantize<Isa, AsWords<Isa>>(task); }

}  // namespace farthing::kernels::code_tiles
