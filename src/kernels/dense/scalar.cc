#include "kernels/dense/body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

void strip_product_scalar(const StripProduct& p) { strip_product<simd::FloatScalar, 2>(p); }

}  // namespace farthing::kernels
