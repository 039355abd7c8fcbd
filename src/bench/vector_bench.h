// The part of bench_kernels() that is not linear layers.
#pragma once

#include "bench/kernel_rows.h"

namespace farthing::bench {

// Attention, norms, rotation and activation functions, as far as the best instruction set of the
// runtime has kernels of its own: those that multiply integers alone have attention over an INT8
// cache.
void bench_vectors(KernelRows& to);

}  // namespace farthing::bench
