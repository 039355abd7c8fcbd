#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

const ProductKernel product_scalar = product_kernel<simd::FloatScalar, 2, 1>();
void round_rows_scalar(const RoundRows& p) { round_rows<simd::FloatScalar>(p); }

}  // namespace farthing::kernels
