// Tokens per second of a model, beside the roof that was measured between the repeats.
#pragma once

#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/measure.h"
#include "core/progress.h"
#include "model/model.h"

namespace farthing::bench {

struct BenchRow {
  std::string test;  // "pp512", "tg128", "tg128@2048"
  std::int64_t batch = 1, context = 0;
  Spread tokens_per_s;
  double gb_s = 0;    // weights and keys and values read
  double gop_s = 0;   // of the matrices
  std::string bound;  // "memory" or "compute": whichever roof is nearer
  double share_of_roof = 0;
};

struct BenchOptions {
  std::vector<std::int64_t> prompts = {512};
  std::int64_t generated = 128;
  std::vector<std::int64_t> batches = {1};
  std::vector<std::int64_t> contexts = {0};  // tokens already in the cache before decoding
  int repeats = 7;
};

// Random tokens; every repeat of a test follows a probe of its roof, and the share is the median of
// the ratios. Error: usage for sizes beyond the model's context.
std::vector<BenchRow> bench_model(Runtime& runtime, model::Model& model, kernels::KvType kv,
                                  const Roofs& roofs, const BenchOptions& options,
                                  Progress& progress);

}  // namespace farthing::bench
