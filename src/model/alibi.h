// Attention with linear biases instead of positions.
#pragma once

#include <cstdint>
#include <vector>

namespace farthing::model {

// Slopes of ALiBi (Press et al., 2022) for any number of heads, as BLOOM and Falcon have them.
std::vector<float> alibi_slopes(std::int64_t heads);

}  // namespace farthing::model
