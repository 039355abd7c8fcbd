// The rows of the table in registry.cc, one function a row, each in the file of its step.
#pragma once

#include "compress/step.h"

namespace farthing::compress {

StepRow round_to_nearest_step();  // round_to_nearest.cc
StepRow hqq_step();               // hqq.cc

}  // namespace farthing::compress
