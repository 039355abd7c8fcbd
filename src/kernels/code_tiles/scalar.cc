#include "kernels/code_tiles/body.h"
#include "kernels/code_tiles/quantize_body.h"
#include "simd/int_scalar.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntScalar::Bytes;
using Planes = simd::IntScalar::Planes;
constexpr int kTokens = kScalarTokens;

void u4_int8_scalar(const LinearSlice& slice) { run<Bytes, U4, 1, kTokens>(slice); }
void u4_int16_scalar(const LinearSlice& slice) { run<Planes, U4, 1, kTokens>(slice); }
void u8_int8_scalar(const LinearSlice& slice) { run<Bytes, U8, 1, kTokens>(slice); }
void u8_int16_scalar(const LinearSlice& slice) { run<Planes, U8, 1, kTokens>(slice); }
void levels_int8_scalar(const LinearSlice& slice) { run<Bytes, Levels, 1, kTokens>(slice); }
void levels_int16_scalar(const LinearSlice& slice) { run<Planes, Levels, 1, kTokens>(slice); }

void bytes_scalar(const QuantizeTask& task) {
  quantize<simd::IntScalar, AsBytes<simd::IntScalar>>(task);
}
void planes_scalar(const QuantizeTask& task) {
  quantize<simd::IntScalar, AsPlanes<simd::IntScalar>>(task);
}

}  // namespace farthing::kernels::code_tiles
