// Probes of the machine's limits that can be run again and again between tests: on a shared machine
// the limits move within a tenth of a second, and only neighbours in time compare. What is asked for
// now is the mean of a few passes, as the test beside it is one over many of its steps; the best of
// them would be a moment that the test could not have either.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/roofs/roofs.h"
#include "core/runtime.h"
#include "formats/quant_scheme.h"

namespace farthing::bench {

// The roofs of this build that `isas` allows, ascending.
std::vector<RoofSet> roof_sets(IsaSet isas);

// Memory in pages of 4 KiB, or of 2 MiB where the system gives them, touched first by the threads
// that will read it.
class ProbeMemory {
 public:
  // Error: out of resources.
  ProbeMemory(Runtime& runtime, std::size_t bytes, bool huge_pages);
  ~ProbeMemory();
  ProbeMemory(const ProbeMemory&) = delete;
  ProbeMemory& operator=(const ProbeMemory&) = delete;
  std::span<const std::byte> bytes() const { return bytes_; }
  bool huge_pages() const { return huge_pages_; }

 private:
  std::span<std::byte> bytes_;
  bool huge_pages_;
};

// Far beyond the last cache, but never more than an eighth of what this process may use.
std::size_t probe_bytes();

struct ReadPattern {
  Isa isa = Isa::kScalar;
  ReadRoof roof;
  bool huge_pages = false;
  std::string name() const;  // "avx2, 1 stream, prefetch 2048, 4K pages"
};
struct ReadSpeed {
  ReadPattern pattern;
  double gb_s = 0;
};

// Reads memory on all threads, an equal contiguous share each.
class ReadProbe {
 public:
  // Tries every pattern that the instruction sets allow: narrower vectors may win.
  explicit ReadProbe(Runtime& runtime, std::size_t bytes = probe_bytes());
  std::span<const ReadSpeed> tried() const { return tried_; }  // best first, each its best pass
  const ReadSpeed& best() const { return tried_.front(); }
  std::size_t bytes() const { return memory_[best().pattern.huge_pages ? 1 : 0]->bytes().size(); }
  double gb_per_s();  // now, in the best pattern

 private:
  double pass(const ReadPattern& pattern);
  Runtime& runtime_;
  std::unique_ptr<ProbeMemory> memory_[2];  // small pages, huge pages
  std::vector<ReadSpeed> tried_;
};

struct PeakSpeed {
  Isa isa = Isa::kScalar;
  PeakRoof roof;
  double gop_s = 0;
};

// Every peak of every set, the best of some runs on all threads.
std::vector<PeakSpeed> measure_peaks(Runtime& runtime);

// The fastest way to multiply and add that inputs of one mode can have: BF16 is no slower than
// FP32, nor INT16 than two passes of INT8.
struct ModePeak {
  PeakSpeed speed;
  int passes = 1;
  double gop_s() const { return speed.gop_s / passes; }
};
ModePeak peak_of(std::span<const PeakSpeed> peaks, ActivationMode mode);
// Measures it again: now.
double gop_per_s(Runtime& runtime, const ModePeak& peak);

}  // namespace farthing::bench
