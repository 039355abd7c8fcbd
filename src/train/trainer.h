// The loop of training: batches, gradients, steps, checkpoints.
#pragma once

#include <memory>
#include <string>

#include "core/progress.h"
#include "train/adapters.h"
#include "train/batches.h"
#include "train/optimizer.h"

namespace farthing::train {

struct TrainOptions {
  std::int64_t steps = 1000;
  double learning_rate = 1e-3;
  std::int64_t warmup = 0;  // steps
  double last_rate = 0.02;  // share of the learning rate at the end of the schedule
  OptimizerOptions optimizer;
  Part part = Part::kAll;
  std::int64_t rank = 8;  // of adapters
  std::int64_t seed = 1;
  std::int64_t save_every = 200;  // steps
  std::string state_file;         // of the checkpoint; "": none
  double peak_gflops = 0;         // of this machine in FP32, for the share in the notes; 0: unknown
};

struct TrainReport {
  std::int64_t first_step = 0, steps = 0;  // first: where a run that was stopped goes on
  std::int64_t trained = 0;                // numbers that train
  std::int64_t tokens = 0;                 // of this run
  double seconds = 0;
  double gflops = 0;      // 6 a trained parameter and token, a second
  BatchLoss first, last;  // means over a tenth of the steps: this run's first, the last
};

// Trains the decoder, or what stands in for its matrices, from the state file if there is one.
// Error: bad input, when a loss or gradient is not a number (names layer or tensor; the state file
// keeps the last good checkpoint); interrupted, after saving.
TrainReport train(Runtime& runtime, Decoder& decoder, StandIn* stand_in, const Batches& batches,
                  Objective& objective, const TrainOptions& options, Progress& progress);

// Bytes that training takes at its peak beside a teacher: parameters, gradients, moments, the
// activations of one part of a batch.
std::uint64_t memory_need(const model::ModelConfig& config, std::int64_t parameters,
                          const TrainOptions& options, std::int64_t longest);
// Bytes more with Decoder::keep_activations().
std::uint64_t kept_need(const model::ModelConfig& config, std::int64_t longest);

}  // namespace farthing::train
