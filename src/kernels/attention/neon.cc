#include "kernels/attention/code_body.h"
#include "kernels/attention/tile_body.h"
#include "simd/int_neon.h"

namespace farthing::kernels {

const TileKernels kTileKernelsNeon = TileBody<simd::FloatNeon>::kTable;
const CodeKernels kCodeKernelsNeon = CodeBody<simd::IntNeon::Words, 2, 1>::kTable;

}  // namespace farthing::kernels
