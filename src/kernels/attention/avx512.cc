#include "kernels/attention/tile_body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

const TileKernels kTileKernelsAvx512 = TileBody<simd::FloatAvx512>::kTable;

}  // namespace farthing::kernels
