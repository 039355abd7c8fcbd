// Whether this processor computes what its instruction sets promise.
#pragma once

#include <span>
#include <string_view>

#include "core/runtime.h"
#include "kernels/packed_matrix.h"

namespace farthing::kernels {

// The levels of `isas` whose kernels, those that would be chosen, give on a small case what the
// scalar ones give: the same bits, or where a kernel promises less, numbers within rounding. A
// level that fails is left out and the choice made again; warn() gets one sentence about it. Takes
// some milliseconds.
IsaSet self_tested(IsaSet isas, FunctionRef<void(std::string_view)> warn,
                   std::span<const LinearKernel> table = linear_kernels());

}  // namespace farthing::kernels
