#include "kernels/attention/code_body.h"
#include "kernels/attention/tile_body.h"
#include "simd/int_avx2.h"

namespace farthing::kernels {

const TileKernels kTileKernelsAvx2 = TileBody<simd::FloatAvx2>::kTable;
const CodeKernels kCodeKernelsAvx2 = CodeBody<simd::IntAvx2::Words, 4, 1>::kTable;

}  // namespace farthing::kernels
