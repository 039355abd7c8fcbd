#include "kernels/attention/tile_body.h"
#include "simd/float_neon.h"

namespace farthing::kernels {

const TileKernels kTileKernelsNeon = TileBody<simd::FloatNeon>::kTable;

}  // namespace farthing::kernels
