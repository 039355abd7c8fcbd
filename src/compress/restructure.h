// The steps that make another model of a checkpoint before anything is rounded.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compress/step.h"

namespace farthing::compress {

// The models that steps make of one another, each borrowed from the one before.
struct Restructured {
  std::vector<std::unique_ptr<io::Checkpoint>> models;
  std::vector<std::string> notes;
  // What all other steps work on.
  const io::Checkpoint& last(const io::Checkpoint& original) const {
    return models.empty() ? original : *models.back();
  }
};

// `samples` gives the calibration data, which the caller keeps, to steps that look at it. Error:
// what the steps refuse.
using Samples = std::function<const calibrate::CalibrationData&(const io::Checkpoint&,
                                                                const model::ModelConfig&)>;
Restructured restructure(Runtime& runtime, const io::Checkpoint& original,
                         std::span<const std::unique_ptr<Step>> steps, const Samples& samples,
                         const std::string& kv, std::uint64_t memory_limit, Progress& progress);

}  // namespace farthing::compress
