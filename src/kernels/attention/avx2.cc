#include "kernels/attention/tile_body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {

const TileKernels kTileKernelsAvx2 = TileBody<simd::FloatAvx2>::kTable;

}  // namespace farthing::kernels
