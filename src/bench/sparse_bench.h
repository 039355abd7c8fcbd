// What squeezing zeros out of weights brings when a token is decoded: bytes, time, and the density
// at which it starts to pay on this machine.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/json.h"

namespace farthing::bench {

struct SparsePoint {
  double density = 0;                        // share of weights that are not zero
  double dense_bits = 0, squeezed_bits = 0;  // a weight takes in memory, scales included
  Spread gain;                               // time of dense kernels / time of squeezed ones
};
struct SparseRow {
  std::string scheme, activations, kernel;
  std::vector<SparsePoint> points;  // falling density
  // The highest density at which the median gain is at least 1, between points by a straight line;
  // 0 when squeezing never pays.
  double break_even = 0;
  double file_break_even = 0;  // below it a bitmap takes fewer bytes in files, on every machine
};

// BF16, INT8 and INT4 weights of a layer that lies beyond the caches, one token at a time, dense
// and squeezed in turns. Error: interrupted.
std::vector<SparseRow> bench_sparse(Runtime& runtime, int repeats, Progress& progress);
double break_even_of(const std::vector<SparsePoint>& points);

std::string sparse_text(const std::vector<SparseRow>& rows);
Json sparse_json(const std::vector<SparseRow>& rows);

}  // namespace farthing::bench
