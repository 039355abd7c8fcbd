#include "kernels/attention/code_body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels {

// Its products are of codes - 128.
using Planes = simd::IntNeonProducts<simd::NeonShiftedDot>::Planes;
const CodeKernels kCodeKernelsNeonDot = CodeBody<Planes, 3, 1, 0>::kTable;

}  // namespace farthing::kernels
