#include "kernels/code_tiles/quantize_body.h"
#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_avx512vnni.h"

namespace farthing::kernels::code_tiles {

using Isa = simd::IntAvx512Vnni;
using Bytes = Isa::Bytes;
using Planes = Isa::Planes;
constexpr int kTokens8 = kAvx512VnniTokens8, kTokens16 = kAvx512VnniTokens16;

#define FARTHING_ODD(name, Unpack, isa)                                                     \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<AsTheyAre<Bytes>, Unpack, kTokens8>), \
                              (run_stripes<AsTheyAre<Planes>, Unpack, kTokens16>))
FARTHING_ODD_PACKINGS(FARTHING_ODD, avx512vnni)
#define FARTHING_CODES(name, Unpack, isa)                                   \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run<Bytes, Unpack, 2, kTokens8>), \
                              (run<Planes, Unpack, 2, kTokens16>))
FARTHING_CODES(u4, U4, avx512vnni)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, avx512vnni)

void bytes_avx512vnni(const QuantizeTask& task) { quantize<Isa, AsBytes<Isa>>(task); }
void planes_avx512vnni(const QuantizeTask& task) { quantize<Isa, AsPlanes<Isa>>(task); }

}  // namespace farthing::kernels::code_tiles
