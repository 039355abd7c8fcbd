#include "kernels/dense/body.h"
#include "kernels/dense/round_body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {

void strip_product_avx2(const StripProduct& p) { strip_product<simd::FloatAvx2, 6>(p); }
void round_rows_avx2(const RoundRows& p) { round_rows<simd::FloatAvx2>(p); }

}  // namespace farthing::kernels
