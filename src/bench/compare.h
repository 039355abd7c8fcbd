// Two results of `farthing bench --json`: is one really faster?
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace farthing::bench {

// The chance that two samples of one distribution are ranked at least as far apart as these, of all
// ways of dealing their values: the exact two-sided test of Mann and Whitney, 1947. Equal values
// count half. 1 for an empty sample.
double same_chance(std::span<const double> a, std::span<const double> b);

enum class Verdict : std::uint8_t { kFaster, kSlower, kSame, kMachineMoved, kUnclear };
std::string_view verdict_name(Verdict verdict);

struct Compared {
  std::string test = {}, names = {};  // "tg128", "w4g64 int8 kv fp16 batch 1"
  double a = 0, b = 0;                // tokens/s, the medians
  double share_a = 0, share_b = 0;
  double speed_chance = 1, share_chance = 1;  // that nothing changed
  Verdict verdict = Verdict::kSame;
};

struct Comparison {
  std::vector<Compared> rows;
  std::vector<std::string> only_a, only_b;  // tests of one file alone
};

// Rows are matched by test, scheme, activations, cache type, batch, context and instruction set;
// repeats of one key (of other kernels) in order. B against A: a row is faster or slower when its
// shares of the roof differ by more than 2 % and by more than chance (below 1 %); when only the
// speeds do, the machine moved, not the program. Error: bad input, when a file is no such result or
// the machines or numbers of threads differ.
Comparison compare_results(const Json& a, const Json& b, std::string_view path_a,
                           std::string_view path_b);
Json comparison_json(const Comparison& comparison);
std::string comparison_text(const Comparison& comparison);

}  // namespace farthing::bench
