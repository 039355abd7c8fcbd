// Rounding a group onto scale * level, the levels 16 numbers in rising order.
#pragma once

#include <array>
#include <span>

#include "formats/format.h"

namespace farthing {

using Levels = std::array<float, 16>;

// The scale, rounded to the type, that puts the largest weight on the outermost level or, unless
// the method is kMinMax, the one around it of least weighted squared error; codes (n) are written
// for it. Infinite when the type has no such scale. Error: usage for kHqq, which has no zero point
// to find here.
float round_to_levels(const Levels& levels, std::span<const float> weights,
                      std::span<const float> importance, RoundMethod method, ScaleType type,
                      std::span<std::uint8_t> codes);

}  // namespace farthing
