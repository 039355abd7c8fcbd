#include "kernels/attention/code_body.h"
#include "kernels/attention/tile_body.h"
#include "simd/int_avx512.h"

namespace farthing::kernels {

const TileKernels kTileKernelsAvx512 = TileBody<simd::FloatAvx512>::kTable;
const CodeKernels kCodeKernelsAvx512 = CodeBody<simd::IntAvx512::Words, 4, 2>::kTable;

}  // namespace farthing::kernels
