// What this machine can do at most, measured: the denominators of every share of roof.
#pragma once

#include <string>
#include <vector>

#include "bench/probes.h"
#include "core/progress.h"

namespace farthing::bench {

struct Roofs {
  double read_gb_s = 0;
  double int8_gop_s = 0, int16_gop_s = 0, bf16_gflop_s = 0, fp32_gflop_s = 0;
  double peak(ActivationMode mode) const;
};

// The best of several repeats on all threads of the runtime, with its instruction sets.
Roofs measure_roofs(Runtime& runtime);

// The same in detail: by number of threads, by instruction set, by pattern.
struct ReadRow {
  int threads = 0;
  ReadSpeed speed;
  bool best = false;  // of its number of threads
};
struct PeakRow {
  int threads = 0;
  PeakSpeed speed;
};
struct Survey {
  std::vector<ReadRow> reads;  // the best pattern of each set and kind of page, for each threads
  std::vector<PeakRow> peaks;
  std::size_t probe_bytes = 0;
  Roofs roofs;  // on all threads
};
// Numbers of threads: 1, 2, 4 ... and the runtime's.
Survey survey_machine(Runtime& runtime, Progress& progress);

}  // namespace farthing::bench
