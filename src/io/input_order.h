// Inputs that a file keeps in groups of its own choice (GPTQ's activation order): g_idx says to
// which group each input belongs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"

namespace farthing::io {

// The order in which the inputs of `base` lie group after group, from base + ".g_idx" (GPTQ) or
// ".weight_g_idx" (compressed-tensors): column j of Checkpoint::matrix() multiplies input order[j].
// Empty where the groups already follow one another, as without such a tensor. Error: bad input,
// when the groups are not all of `group_size` inputs.
std::vector<std::int32_t> input_order(const Checkpoint& checkpoint, std::string_view base,
                                      std::int64_t inputs, std::int64_t group_size,
                                      std::string_view where);
bool has_input_order(const Checkpoint& checkpoint, std::string_view base);

}  // namespace farthing::io
