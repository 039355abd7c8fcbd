// What the zeros of a pruned artefact are worth on this machine, in numbers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/compress.h"
#include "core/cpu.h"

namespace farthing::compress {

// A sentence for each scheme whose weights were pruned; `units` go with those of the plan. Not for
// the artefact: the next machine may answer otherwise.
std::vector<std::string> pruning_notes(const Plan& plan, std::span<const UnitReport> units,
                                       IsaSet isas);

// Bits a weight takes in memory once zeros are squeezed out, with a share `zeros` of them; 0 for
// schemes that cannot be squeezed.
double squeezed_bits(const WeightScheme& scheme, std::int64_t cols, double zeros);

}  // namespace farthing::compress
