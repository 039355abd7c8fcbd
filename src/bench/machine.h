// What this machine can do at most, measured: the denominators of every share of roof.
#pragma once

#include <string>
#include <vector>

#include "core/memory.h"
#include "core/runtime.h"

namespace farthing::bench {

struct Roofs {
  double read_gb_s = 0;
  double int8_gop_s = 0, bf16_gflop_s = 0, fp32_gflop_s = 0;
};

// Memory far beyond the caches, read again and again as a roof probe.
class ReadProbe {
 public:
  explicit ReadProbe(Runtime& runtime, std::size_t bytes = std::size_t{512} << 20);
  double gb_per_s();  // one pass over the memory on all threads

 private:
  Runtime& runtime_;
  AlignedArray<std::byte> memory_;
};

// The best of several repeats on all threads of the runtime, with its instruction sets.
Roofs measure_roofs(Runtime& runtime);

double median(std::vector<double> values);

}  // namespace farthing::bench
