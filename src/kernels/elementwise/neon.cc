#include "kernels/elementwise/row_body.h"
#include "simd/float_neon.h"

namespace farthing::kernels {

const RowKernels kRowKernelsNeon = RowBody<simd::FloatNeon>::kTable;

}  // namespace farthing::kernels
