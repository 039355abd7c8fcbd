#include "kernels/gradients/body.h"
#include "simd/float_avx512.h"

namespace farthing::kernels {

const RowGradients kRowGradientsAvx512 = GradientBody<simd::FloatAvx512>::kTable;

}  // namespace farthing::kernels
