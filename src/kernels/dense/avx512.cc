#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

const ProductKernel product_avx512 = product_kernel<simd::FloatAvx512, 12, 2>();
void round_rows_avx512(const RoundRows& p) { round_rows<simd::FloatAvx512>(p); }

}  // namespace farthing::kernels
