#include "kernels/code_tiles/quantize_body.h"
#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_avx2.h"

namespace farthing::kernels::code_tiles {

using SmallBytes = simd::IntAvx2::SmallBytes;
using Words = simd::IntAvx2::Words;
constexpr int kTokens = kAvx2Tokens;

void u4_int8_avx2(const LinearSlice& slice) { run_stripes<SmallBytes, U4, kTokens>(slice); }
void u4_int16_avx2(const LinearSlice& slice) { run_stripes<Words, U4, kTokens>(slice); }
void u8_int8_avx2(const LinearSlice& slice) { run_stripes<Words, U8, kTokens>(slice); }
void u8_int16_avx2(const LinearSlice& slice) { run_stripes<Words, U8, kTokens>(slice); }
void levels_int8_avx2(const LinearSlice& slice) { run_stripes<Words, Levels, kTokens>(slice); }
void levels_int16_avx2(const LinearSlice& slice) { run_stripes<Words, Levels, kTokens>(slice); }

void bytes_avx2(const QuantizeTask& task) { quantize<simd::IntAvx2, AsBytes<simd::IntAvx2>>(task); }
void planes_avx2(const QuantizeTask& task) {
  quantize<simd::IntAvx2, AsPlanes<simd::IntAvx2>>(task);
}
void words_avx2(const QuantizeTask& task) { quantize<simd::IntAvx2, AsWords<simd::IntAvx2>>(task); }

}  // namespace farthing::kernels::code_tiles
