#include "kernels/gradients/body.h"
#include "simd/float_avx2.h"

namespace farthing::kernels {

const RowGradients kRowGradientsAvx2 = GradientBody<simd::FloatAvx2>::kTable;

}  // namespace farthing::kernels
