// The sweep that GPTQ and SparseGPT share: input by input a weight is rounded, or taken out, and
// the weights of the inputs after it make up for the error (Frantar et al., 2022; Frantar and
// Alistarh, 2023). Rounding and pruning are one step of it, so both errors are made up for at once.
#pragma once

#include <atomic>

#include "compress/hessian_solver.h"
#include "compress/sparsity.h"
#include "formats/format.h"
#include "formats/quantized_tensor.h"

namespace farthing::compress {

// What the scores of a weight are compared with: those of its row, or of the whole matrix.
enum class Compare : std::uint8_t { kRow, kMatrix };

struct SweepOptions {
  RoundMethod range = RoundMethod::kScaleSearch;
  std::int64_t block = 128;  // inputs whose errors are passed on at once, and that a mask is for
  // Grids of the groups found on the weights as they come ("static groups"); else on the weights as
  // they are when their group begins, which must be consecutive in the solver's order.
  bool fixed_grids = true;
  bool keep_zeros = false;  // weights that come as zero stay it: a step before has pruned
  // Prunes on the way, in the natural order, by w^2 / U_jj^2.
  bool prunes = false;
  Sparsity sparsity = {};
  Compare compare = Compare::kMatrix;
};

// Where the time of sweeps goes, summed over threads.
struct SweepTimes {
  std::atomic<std::int64_t> all_ns = 0, product_ns = 0;  // product: passing errors on
  double product_share() const {
    return all_ns == 0 ? 0 : static_cast<double>(product_ns) / static_cast<double>(all_ns);
  }
};

// rows (n, in), the first being row `first` of the matrix, become rows out_first.. of `out`: codes
// where its format has a uniform grid of integers; else the weights that are left are rounded to
// the format at the end. With `runtime` threads share the rows, else the caller does all; the
// result is the same. Error: bad input naming row and column for a weight that is not finite or
// beyond the scale's range.
void sweep(const Solver& solver, const SweepOptions& options, IsaSet isas, Runtime* runtime,
           std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
           std::int64_t out_first, SweepTimes& times);

}  // namespace farthing::compress
