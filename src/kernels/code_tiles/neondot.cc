#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_neon_dot.h"

namespace farthing::kernels::code_tiles {

using Small = simd::IntNeonProducts<simd::NeonSmallDot>;
using Shifted = simd::IntNeonProducts<simd::NeonShiftedDot>;
constexpr int kTokens8 = kNeonDotTokens8, kTokens16 = kNeonDotTokens16;

#define FARTHING_ODD(name, Unpack, isa)                                                            \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<AsTheyAre<Small::Bytes>, Unpack, kTokens8>), \
                              (run_stripes<AsTheyAre<Small::Planes>, Unpack, kTokens16>))
FARTHING_ODD_PACKINGS(FARTHING_ODD, neondot)
#define FARTHING_CODES(name, Unpack, isa)                                          \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Small::Bytes, Unpack, 1, kTokens8>), \
                              (run<Small::Planes, Unpack, 1, kTokens16>))
FARTHING_CODES(u4, U4, neondot)
#define FARTHING_WIDE(name, Unpack, isa)                                             \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Shifted::Bytes, Unpack, 1, kTokens8>), \
                              (run<Shifted::Planes, Unpack, 1, kTokens16>))
FARTHING_WIDE_PACKINGS(FARTHING_WIDE, neondot)

}  // namespace farthing::kernels::code_tiles
