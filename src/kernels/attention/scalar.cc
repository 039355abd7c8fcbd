#include "kernels/attention/code_body.h"
#include "kernels/attention/tile_body.h"
#include "simd/int_scalar.h"

namespace farthing::kernels {

const TileKernels kTileKernelsScalar = TileBody<simd::FloatScalar>::kTable;
const CodeKernels kCodeKernelsScalar = CodeBody<simd::IntScalar::Planes, 1, 1>::kTable;

}  // namespace farthing::kernels
