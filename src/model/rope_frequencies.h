// What the rotary embedding turns by, for those who describe it.
#pragma once

#include <span>
#include <vector>

#include "model/config.h"

namespace farthing::model {

struct RopeFrequencies {
  std::vector<double> usual, beyond;  // radians a position; beyond: past LongRoPE's first length
  double attention_factor = 1;        // of cosines and sines
};
// factors: divisors that a GGUF file brings, or empty. Dynamic scaling starts past the length that
// the model was trained at, and is not among these. Error: bad input.
RopeFrequencies rope_frequencies(const RopeConfig& config, std::int64_t rotary_dim,
                                 std::span<const float> factors);

}  // namespace farthing::model
