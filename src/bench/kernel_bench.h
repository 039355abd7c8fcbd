// Every kernel by itself: which share of the machine does each row of each table reach?
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/row.h"
#include "core/progress.h"
#include "kernels/linear.h"

namespace farthing::bench {

// One linear layer of random weights, packed several times so that together they lie beyond the
// caches: reading one after the other is what decoding does.
class LinearCase {
 public:
  // Packs for the instruction sets of the runtime. `bytes`: of all copies together; at least one
  // copy is made. Error: unsupported, when no kernel has the pair of scheme and mode.
  LinearCase(Runtime& runtime, std::string_view scheme, ActivationMode mode, std::size_t bytes);
  std::string_view kernel() const { return linears_[0].kernel(); }  // "code_tiles avx2"
  double bits_per_weight() const;                                   // scales and padding included
  std::size_t bytes() const { return linears_.size() * linears_[0].bytes(); }
  // Takes `tokens` through `copies` of the layer.
  Timed run(Runtime& runtime, std::int64_t tokens, std::int64_t copies);
  std::int64_t copies() const { return std::ssize(linears_); }

 private:
  std::vector<kernels::Linear> linears_;
};

// The schemes that bring every packing, and the modes that each can meet.
std::span<const std::string_view> kernel_schemes();

// Linears of every scheme, mode and instruction set that the runtime allows and that has kernels of
// its own, with 1, 8 and many tokens; attention by type of cache, with one query and with many;
// norms and activation functions. tokens_per_s counts tokens through one layer.
// `only`: as KernelRows has it. Error: usage, when that leaves no row.
std::vector<Row> bench_kernels(Runtime& runtime, int repeats, std::span<const std::string> only,
                               Progress& progress);

}  // namespace farthing::bench
