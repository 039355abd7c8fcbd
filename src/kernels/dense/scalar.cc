#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

void strip_product_scalar(const StripProduct& p) { strip_product<simd::FloatScalar, 2>(p); }
void round_rows_scalar(const RoundRows& p) { round_rows<simd::FloatScalar>(p); }

}  // namespace farthing::kernels
