// What this machine can do at most, measured: the denominators of every share of roof.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "bench/probes.h"
#include "core/progress.h"

namespace farthing::bench {

// Every ActivationMode, in the order of the enumeration.
inline constexpr std::array kModes = {ActivationMode::kF32, ActivationMode::kBf16,
                                      ActivationMode::kInt16, ActivationMode::kInt8};
constexpr std::size_t index(ActivationMode mode) { return static_cast<std::size_t>(mode); }

struct Roofs {
  double read_gb_s = 0;
  std::array<double, kModes.size()> gop_s{};  // by activation mode
  double peak(ActivationMode mode) const { return gop_s[index(mode)]; }
};

// What a computation cannot do without.
struct Work {
  double bytes = 0;                                // read from memory
  std::array<double, kModes.size()> operations{};  // by activation mode
  double all_operations() const;
  Work& operator+=(const Work& other);
  Work times(double factor) const;
};

// The time that memory and arithmetic leave at least, in seconds, and which of the two it is.
struct LeastTime {
  double memory = 0, compute = 0;
  double seconds() const { return memory > compute ? memory : compute; }
  bool memory_bound() const { return memory >= compute; }
};
LeastTime least_time(const Work& work, const Roofs& roofs);

// The roofs, and the roofs of this moment: on a shared machine they move from minute to minute.
class RoofProbe {
 public:
  explicit RoofProbe(Runtime& runtime);
  const Roofs& best() const { return best_; }  // seen so far
  Roofs now(const Work& work);                 // measures what this work needs
  std::size_t bytes() const { return read_.bytes(); }

 private:
  Runtime& runtime_;
  ReadProbe read_;
  std::array<ModePeak, kModes.size()> peaks_;
  Roofs best_;
};

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
