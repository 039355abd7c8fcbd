#include "kernels/float_tiles/pair_weights.h"
#include "simd/pairs_neonbf16.h"

namespace farthing::kernels::float_tiles {

void bf16_neonbf16(const LinearSlice& slice) { run_pairs<simd::PairsNeon, kNeonBlocking>(slice); }

}  // namespace farthing::kernels::float_tiles
