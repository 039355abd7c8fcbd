#include "kernels/code_tiles/body.h"
#include "kernels/code_tiles/quantize_body.h"
#include "simd/int_avx512vnni.h"

namespace farthing::kernels::code_tiles {

using Isa = simd::IntAvx512Vnni;
using Bytes = Isa::Bytes;
using Planes = Isa::Planes;
constexpr int kTokens8 = kAvx512VnniTokens8, kTokens16 = kAvx512VnniTokens16;

void u4_int8_avx512vnni(const LinearSlice& slice) { run<Bytes, U4, 2, kTokens8>(slice); }
void u4_int16_avx512vnni(const LinearSlice& slice) { run<Planes, U4, 2, kTokens16>(slice); }
void u8_int8_avx512vnni(const LinearSlice& slice) { run<Bytes, U8, 2, kTokens8>(slice); }
void u8_int16_avx512vnni(const LinearSlice& slice) { run<Planes, U8, 2, kTokens16>(slice); }
void levels_int8_avx512vnni(const LinearSlice& slice) { run<Bytes, Levels, 2, kTokens8>(slice); }
void levels_int16_avx512vnni(const LinearSlice& slice) { run<Planes, Levels, 2, kTokens16>(slice); }

void bytes_avx512vnni(const QuantizeTask& task) { quantize<Isa, AsBytes<Isa>>(task); }
void planes_avx512vnni(const QuantizeTask& task) { quantize<Isa, AsPlanes<Isa>>(task); }

}  // namespace farthing::kernels::code_tiles
