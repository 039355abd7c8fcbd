#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntNeonProducts<simd::NeonMixedDot>::Bytes;
using Planes = simd::IntNeonProducts<simd::NeonMixedDot>::Planes;
constexpr int kTokens8 = kNeonDotTokens8, kTokens16 = kNeonDotTokens16;

#define FARTHING_ODD(name, Unpack, isa)                                                     \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<AsTheyAre<Bytes>, Unpack, kTokens8>), \
                              (run_stripes<AsTheyAre<Planes>, Unpack, kTokens16>))
FARTHING_ODD_PACKINGS(FARTHING_ODD, neoni8mm)
#define FARTHING_CODES(name, Unpack, isa)                                   \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Bytes, Unpack, 1, kTokens8>), \
                              (run<Planes, Unpack, 1, kTokens16>))
FARTHING_CODES(u4, U4, neoni8mm)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, neoni8mm)

}  // namespace farthing::kernels::code_tiles
