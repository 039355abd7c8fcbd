// Takes a model through the steps of a recipe piece by piece, in bounded memory, and writes every
// shard as soon as it is finished.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compress/layout.h"
#include "compress/step.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/artefact_writer.h"

namespace farthing::compress {

// What became of one matrix.
struct UnitResult {
  std::string base;
  double error = 0;       // sum of (w - w')^2
  double magnitude = 0;   // sum of w^2
  float input_scale = 0;  // of static activations
  int starved = 0;        // slices that were rounded to nearest for want of tokens
  double zeros = 0;       // weights that are exactly zero now
};

class CalibratedBlocks;  // calibrated_blocks.h

struct StreamNeed {
  std::uint64_t memory_bytes = 0;  // floats and codes of the largest slab or block, and the rest
  std::uint64_t disk_bytes = 0;
};
StreamNeed stream_need(std::span<const Shard> shards, std::uint64_t slab_bytes, int threads);

struct StreamJob {
  Runtime& runtime;
  const model::TensorMap& map;
  std::span<const std::unique_ptr<Step>> steps;
  std::span<const Shard> shards;
  Progress& progress;
  std::uint64_t slab_bytes;                // of rows that are in memory as floats at once
  CalibratedBlocks* calibrated = nullptr;  // takes the blocks, when there is calibration data
};

// Writes the shards that `writer` does not have yet. The results, in the order of the shards, are
// the same for any number of threads and however often the run was stopped. Error: bad input for a
// weight that is no number, naming tensor, row and column; out of resources; interrupted.
std::vector<UnitResult> stream_shards(const StreamJob& job, io::ArtefactWriter& writer);

}  // namespace farthing::compress
