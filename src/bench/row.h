// A line of any bench: what was run, how fast, and how much of the machine that is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/measure.h"

namespace farthing::bench {

struct Row {
  std::string test = {};  // "pp512", "tg128", "tg128@2048", "chat", "kernel 1"
  std::string scheme = {}, activations = {}, kv = {}, kernel = {}, isa = {};
  std::int64_t batch = 1, context = 0;
  Spread tokens_per_s = {};
  double gb_s = 0, gop_s = 0;  // at the median speed
  bool memory_bound = false;
  double share_of_roof = 0;  // median of the alternations
  // One an alternation, for comparing two files.
  std::vector<double> speeds = {}, shares = {};
  // Scenarios only.
  struct Latency {
    double p50 = 0, p95 = 0;  // milliseconds
  };
  std::optional<Latency> first_token = {}, next_token = {};
};

struct Timed {
  double seconds = 0, tokens = 0;
  Work work = {};
};
// Alternates a probe of the roof with `test` and fills in the numbers of the row. Error:
// interrupted.
void alternate(RoofProbe& roof, int repeats, const Progress& progress,
               const std::function<Timed()>& test, Row& row);

}  // namespace farthing::bench
