#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_avxvnni.h"

namespace farthing::kernels::code_tiles {

using Bytes = simd::IntAvxVnni::Bytes;
using Planes = simd::IntAvxVnni::Planes;
constexpr int kTokens8 = kAvxVnniTokens8, kTokens16 = kAvxVnniTokens16;

#define FARTHING_ODD(name, Unpack, isa)                                                     \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<AsTheyAre<Bytes>, Unpack, kTokens8>), \
                              (run_stripes<AsTheyAre<Planes>, Unpack, kTokens16>))
FARTHING_ODD_PACKINGS(FARTHING_ODD, avxvnni)
#define FARTHING_CODES(name, Unpack, isa)                                   \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Bytes, Unpack, 1, kTokens8>), \
                              (run<Planes, Unpack, 1, kTokens16>))
FARTHING_CODES(u4, U4, avxvnni)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, avxvnni)

}  // namespace farthing::kernels::code_tiles
