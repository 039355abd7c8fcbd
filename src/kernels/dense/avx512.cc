#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

void strip_product_avx512(const StripProduct& p) { strip_product<simd::FloatAvx512, 12>(p); }
void round_rows_avx512(const RoundRows& p) { round_rows<simd::FloatAvx512>(p); }

}  // namespace farthing::kernels
