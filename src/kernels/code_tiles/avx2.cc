#include "kernels/code_tiles/quantize_body.h"
#include "kernels/code_tiles/stripe_body.h"
#include "simd/int_avx2.h"

namespace farthing::kernels::code_tiles {

template <class Unpack>
using SmallBytes = simd::IntAvx2::SmallBytes<Unpack::kBits>;
using Words = simd::IntAvx2::Words;
constexpr int kTokens = kAvx2Tokens;

#define FARTHING_SMALL(name, Unpack, isa)                                                    \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<SmallBytes<Unpack>, Unpack, kTokens>), \
                              (run_stripes<Words, Unpack, kTokens>))
FARTHING_SMALL_PACKINGS(FARTHING_SMALL, avx2)
#define FARTHING_WIDE(name, Unpack, isa)                                        \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_stripes<Words, Unpack, kTokens>), \
                              (run_stripes<Words, Unpack, kTokens>))
FARTHING_WIDE_PACKINGS(FARTHING_WIDE, avx2)

void bytes_avx2(const QuantizeTask& task) { quantize<simd::IntAvx2, AsBytes<simd::IntAvx2>>(task); }
void planes_avx2(const QuantizeTask& task) {
  quantize<simd::IntAvx2, AsPlanes<simd::IntAvx2>>(task);
}
void words_avx2(const QuantizeTask& task) { quantize<simd::IntAvx2, AsWords<simd::IntAvx2>>(task); }

}  // namespace farthing::kernels::code_tiles
