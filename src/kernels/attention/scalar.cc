#include "kernels/attention/tile_body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

const TileKernels kTileKernelsScalar = TileBody<simd::FloatScalar>::kTable;

}  // namespace farthing::kernels
