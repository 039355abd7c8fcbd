// What a run of training needs to go on from where it was stopped, to the bit: one safetensors
// file.
#pragma once

#include <string>

#include "train/optimizer.h"

namespace farthing::train {

// Writes values, moments and the step; at any moment the file shows the old state or the new one.
// Error: out of resources, bad input.
void save_state(const std::string& path, Optimizer& optimizer);
// Reads them back. Error: bad input, when the file is not of these parameters.
void load_state(const std::string& path, Optimizer& optimizer);

}  // namespace farthing::train
