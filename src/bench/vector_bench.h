// The part of bench_kernels() that is not linear layers.
#pragma once

#include <vector>

#include "bench/row.h"
#include "core/progress.h"

namespace farthing::bench {

// Attention with every type of cache, norms, rotation and activation functions, where the best
// instruction set of the runtime has such kernels (those with vectors of floats).
void bench_vectors(Runtime& runtime, RoofProbe& roof, int repeats, const Progress& progress,
                   std::vector<Row>& rows);

}  // namespace farthing::bench
