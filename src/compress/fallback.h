// Which matrices keep more bits: those whose rounding costs most for the bytes that it saves.
#pragma once

#include "calibrate/data.h"
#include "compress/calibrated_blocks.h"
#include "compress/plan.h"
#include "compress/recipe.h"
#include "compress/step.h"
#include "core/progress.h"

namespace farthing::compress {

// Memory that the measuring takes, the program not included.
std::uint64_t fallback_need(const model::TensorMap& map, const Plan& plan,
                            std::span<const std::unique_ptr<Step>> steps,
                            const calibrate::CalibrationData& data);

// Measures what the matrices of the blocks cost, each alone, on the first tokens of the data behind
// what the steps fold, and gives the costliest, for their weights, the scheme of the fallback as
// far as the budget goes. Error: as CalibratedBlocks; interrupted.
void choose_fallback(Runtime& runtime, const model::TensorMap& map, Plan& plan,
                     std::span<const std::unique_ptr<Step>> steps,
                     const calibrate::CalibrationData& data, const FallbackSetting& setting,
                     const CalibrationOptions& options, Progress& progress);

}  // namespace farthing::compress
