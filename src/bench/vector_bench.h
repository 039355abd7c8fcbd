// The part of bench_kernels() that is not linear layers.
#pragma once

#include "bench/kernel_rows.h"

namespace farthing::bench {

// Attention with every type of cache, norms, rotation and activation functions, where the best
// instruction set of the runtime has such kernels (those with vectors of floats).
void bench_vectors(KernelRows& to);

}  // namespace farthing::bench
