#include "kernels/dense/body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

void strip_product_avx512(const StripProduct& p) { strip_product<simd::FloatAvx512, 12>(p); }

}  // namespace farthing::kernels
