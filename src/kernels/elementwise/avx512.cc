#include "kernels/elementwise/row_body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

const RowKernels kRowKernelsAvx512 = RowBody<simd::FloatAvx512>::kTable;

}  // namespace farthing::kernels
