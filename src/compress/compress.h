// A checkpoint and a recipe in, an artefact out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/work_times.h"
#include "compress/plan.h"
#include "compress/recipe.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/checkpoint.h"

namespace farthing::compress {

struct CompressOptions {
  PlanOptions plan;
  bool replace = false;            // an artefact that lies at OUT
  std::uint64_t memory_limit = 0;  // 0: what this process may use
  std::uint64_t shard_bytes = 32u << 20;
  std::uint64_t slab_bytes = 32u << 20;
  std::string tool_version;
};

struct UnitReport {
  std::string base, scheme, asked, activations;  // asked: "" when it is what was asked for
  std::uint64_t weights = 0, bytes_before = 0, bytes_after = 0;
  double error = 0;  // |W - W'|^2 / |W|^2, 0 for what was copied
  double zeros = 0;  // share of the weights that are exactly zero, of what was made anew
  bool compressed = false;
};

struct CompressReport {
  std::vector<UnitReport> units;
  std::vector<std::string> notes;
  std::string recipe, kv, source_sha256;
  std::string calibration_sha256;  // "" without calibration
  std::int64_t calibration_tokens = 0;
  bool portable = false;                            // compressed-tensors reads it
  std::uint64_t bytes_before = 0, bytes_after = 0;  // of all tensors
  std::uint64_t compressed_weights = 0;
  double bits_per_weight = 0;  // of the compressed matrices, scales included
  double mean_error = 0;  // of the compressed matrices: their mean, each counted by its weights
  std::uint64_t memory_bytes = 0;  // that were forecast
  double seconds = 0;
  calibrate::WorkTimes times;  // zero without calibration
  int shards = 0, resumed_shards = 0;
};

// Writes the artefact to `out`. Stopped at any moment it leaves OUT.partial, which the same call
// goes on with. Error: usage, bad input, unsupported, out of resources, interrupted.
CompressReport compress(Runtime& runtime, const io::Checkpoint& original, const std::string& out,
                        Recipe recipe, const CompressOptions& options, Progress& progress);

// The checkpoint's own names of the embedding and of the head (also of one that is tied).
struct EndNames {
  std::string embedding, head;
};
EndNames end_names(const io::Checkpoint& checkpoint);

// Error: unsupported, for GGUF and for what is compressed already.
void refuse_source(const io::Checkpoint& checkpoint);

// Refuses a place that cannot be meant: inside of the model, or around it.
void check_places(const std::string& model, const std::string& out);

}  // namespace farthing::compress
