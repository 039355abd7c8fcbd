#include "kernels/attention/code_body.h"
#include "simd/int_avxvnni.h"

namespace farthing::kernels {

const CodeKernels kCodeKernelsAvxVnni = CodeBody<simd::IntAvxVnni::Planes, 3, 1>::kTable;

}  // namespace farthing::kernels
