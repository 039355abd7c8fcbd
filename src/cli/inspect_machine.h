// farthing inspect --machine.
#pragma once

#include "cli/common.h"

namespace farthing::cli {

// Prints what this processor is good at, from what is remembered; measures first when nothing is,
// or when asked to `refresh`. Error: usage, interrupted.
void inspect_machine(const Common& common, bool refresh);

}  // namespace farthing::cli
