#include "kernels/gradients/body.h"
#include "simd/float_scalar.h"

namespace farthing::kernels {

const RowGradients kRowGradientsScalar = GradientBody<simd::FloatScalar>::kTable;

}  // namespace farthing::kernels
