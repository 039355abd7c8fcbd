#include "kernels/code_tiles/quantize_body.h"
#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_neon.h"

namespace farthing::kernels::code_tiles {

using Isa = simd::IntNeon;
using Words = Isa::Words;
constexpr int kTokens8 = kNeonTokens, kTokens16 = kNeonTokens;

#define FARTHING_ODD(name, Unpack, isa)                                                     \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<AsTheyAre<Words>, Unpack, kTokens8>), \
                              (run_stripes<AsTheyAre<Words>, Unpack, kTokens16>))
FARTHING_ODD_PACKINGS(FARTHING_ODD, neon)
#define FARTHING_CODES(name, Unpack, isa)                                   \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Words, Unpack, 1, kTokens8>), \
                              (run<Words, Unpack, 1, kTokens16>))
FARTHING_CODES(u4, U4, neon)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, neon)

void bytes_neon(const QuantizeTask& task) { quantize<Isa, AsBytes<Isa>>(task); }
void planes_neon(const QuantizeTask& task) { quantize<Isa, AsPlanes<Isa>>(task); }
void words_neon(const QuantizeTask& task) { quantize<Isa, AsWords<Isa>>(task); }

}  // namespace farthing::kernels::code_tiles
