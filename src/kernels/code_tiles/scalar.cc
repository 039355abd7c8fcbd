#include "kernels/code_tiles/quantize_body.h"
#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_scalar.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntScalar::Bytes;
using Planes = simd::IntScalar::Planes;
constexpr int kTokens = kScalarTokens;

#define FARTHING_CODES(name, Unpack, isa)                                  \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Bytes, Unpack, 1, kTokens>), \
                              (run<Planes, Unpack, 1, kTokens>))
FARTHING_SMALL_PACKINGS(FARTHING_CODES, scalar)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, scalar)

void bytes_scalar(const QuantizeTask& task) {
  quantize<simd::IntScalar, AsBytes<simd::IntScalar>>(task);
}
void planes_scalar(const QuantizeTask& task) {
  quantize<simd::IntScalar, AsPlanes<simd::IntScalar>>(task);
}

}  // namespace farthing::kernels::code_tiles
