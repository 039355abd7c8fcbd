#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {

const ProductKernel product_avx2 = product_kernel<simd::FloatAvx2, 6, 1>();
void round_rows_avx2(const RoundRows& p) { round_rows<simd::FloatAvx2>(p); }

}  // namespace farthing::kernels
