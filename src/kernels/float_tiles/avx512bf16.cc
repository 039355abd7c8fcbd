#include "kernels/float_tiles/pair_weights.h"
#include "simd/pairs_avx512bf16.h"

namespace farthing::kernels::float_tiles {

void bf16_avx512bf16(const LinearSlice& slice) {
  run_pairs<simd::PairsAvx512, kAvx512Blocking>(slice);
}

}  // namespace farthing::kernels::float_tiles
