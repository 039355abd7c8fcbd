#include "kernels/attention/code_body.h"
#include "simd/int_avx512vnni.h"

namespace farthing::kernels {

const CodeKernels kCodeKernelsAvx512Vnni = CodeBody<simd::IntAvx512Vnni::Planes, 4, 2>::kTable;

}  // namespace farthing::kernels
