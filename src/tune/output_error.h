// How much the outputs of a unit change by its alternative, at its own inputs: cheap, and exact
// with the kernels that will run, rounded activations included.
#pragma once

#include "tune/probe.h"

namespace farthing::tune {

// Mean over the tokens of |y' - y|^2, summed over the unit's members (of experts: over the tokens
// that came to each, divided by all). inputs: Probe::inputs_of() the unit's layer; tokens: how many
// rows a dense linear has there.
double output_error(Runtime& runtime, const Space& space, RoundedWeights& weights,
                    const Probe::Inputs& inputs, const Swap& swap);

}  // namespace farthing::tune
