// Rounding a super-block of 256 weights for GGUF's k-quants: groups with integer scales (and
// minima) under one FP16 factor each: weight = d * scale * (code - bias) - dmin * minimum.
#pragma once

#include <cstdint>

#include "formats/format.h"

namespace farthing {

struct SuperShape {
  int group;                        // inputs a group, 16 or 32
  int bits;                         // of a code
  int lowest_scale, highest_scale;  // of the integer scales
  int highest_minimum;              // 0: no minima, codes are signed about 2^(bits-1)
};

struct SuperBlock {
  std::uint8_t codes[256];
  int scales[16] = {};
  int minima[16] = {};
  float d = 0, dmin = 0;  // FP16 numbers, or infinite when the weights are beyond them
};

// weights (256), importance (256) or null. Groups are rounded by themselves first, then their
// scales and minima to integers, trying the neighbours of each, then d and dmin fitted to all the
// codes.
SuperBlock round_super_block(const SuperShape& shape, RoundMethod method, const float* weights,
                             const float* importance);

}  // namespace farthing
