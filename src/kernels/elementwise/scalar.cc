#include "kernels/elementwise/row_body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

const RowKernels kRowKernelsScalar = RowBody<simd::FloatScalar>::kTable;

}  // namespace farthing::kernels
