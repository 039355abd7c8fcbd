// Which weights a pruning step takes out: a share of them, or all but N of every M consecutive
// inputs of a row, those of the lowest score.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "compress/setting.h"

namespace farthing::compress {

struct Sparsity {
  double ratio = 0;      // of the weights that go
  int kept = 0, of = 0;  // N:M when of > 0; ratio is then 1 - N / M
  bool is_pattern() const { return of > 0; }
  // What is left of a row of `inputs`, rounded up.
  std::int64_t kept_of(std::int64_t inputs) const;
  bool operator==(const Sparsity&) const = default;
};

// "0.5" or "2:4". Error: bad input, for a ratio outside of 0..1 (1 leaves nothing and is refused
// too) and for a pattern that keeps none or all.
Sparsity parse_sparsity(const Setting& setting);
std::string sparsity_text(const Sparsity& sparsity);

// Error: bad input naming `base`, unless M divides the row.
void check_pattern(const Sparsity& sparsity, std::int64_t inputs, const std::string& base);

// pruned[i] = 1 for the scores that go, 0 for the others; of equal scores the first go. A pattern
// takes them from every M in turn, which must divide the length; else inputs - kept_of(inputs) go.
void choose_pruned(const Sparsity& sparsity, std::span<const float> scores,
                   std::span<std::uint8_t> pruned);

}  // namespace farthing::compress
