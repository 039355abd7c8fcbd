#include "kernels/attention/code_body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels {

using Planes = simd::IntNeonProducts<simd::NeonMixedDot>::Planes;
const CodeKernels kCodeKernelsNeonI8mm = CodeBody<Planes, 3, 1>::kTable;

}  // namespace farthing::kernels
