#include "kernels/elementwise/row_body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {

const RowKernels kRowKernelsAvx2 = RowBody<simd::FloatAvx2>::kTable;

}  // namespace farthing::kernels
