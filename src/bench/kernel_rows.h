// The rows of bench_kernels() on one level, as they are measured.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/row.h"
#include "core/progress.h"
#include "core/runtime.h"

namespace farthing::bench {

struct KernelRows {
  Runtime& runtime;  // whose best instruction set is the level
  RoofProbe& roof;
  int repeats;
  Progress& progress;
  std::span<const std::string> only;  // words that a row must have; none: every row
  std::vector<Row>& rows;

  bool is_scalar() const { return runtime.isas.best() == Isa::kScalar; }
  std::string isa() const { return std::string(isa_name(runtime.isas.best())); }
  // Each word is the row's test ("linear 512"), what that begins with ("linear"), its scheme, its
  // activations, its cache's type or its instruction set.
  bool wants(const Row& names) const;
  void measure(Row row, const std::function<Timed()>& test);
};

}  // namespace farthing::bench
