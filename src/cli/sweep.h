// What `compress --sweep` does: compresses by every configuration, measures each against the model
// it came from, and keeps the best.
#pragma once

#include <string>
#include <vector>

#include "cli/common.h"
#include "compress/compress.h"
#include "compress/setting_sweep.h"

namespace farthing::cli {

struct SweepRequest {
  std::string model, out;  // out: where the best goes; "" keeps none
  std::string text;        // that is measured on
  std::int64_t windows = 8, context = 0;
  std::string convention = "all";
  compress::CompressOptions options;
};

// Prints the table, writes its JSON twin. The configuration with the least KL divergence is the
// best. Error: as compress() and evaluate_text().
void run_sweep(Runtime& runtime, const Common& common, const io::Checkpoint& checkpoint,
               const std::vector<compress::SweepPoint>& points, const SweepRequest& request,
               Progress& progress);

}  // namespace farthing::cli
