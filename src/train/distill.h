// A teacher, a student and a text in, a trained student out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "calibrate/data.h"
#include "train/losses.h"
#include "train/on_policy.h"
#include "train/trainer.h"

namespace farthing::train {

// What a trained checkpoint was made from, beside it.
inline constexpr std::string_view kTrainingFile = "farthing.training.json";

struct DistillOptions {
  calibrate::DataRequest data;  // samples: 0, as many as the steps need
  std::int64_t batch = 8;       // samples a step
  LossOptions loss;
  double hidden = 0;          // weight of the distance of hidden states
  std::string cache;          // file of the teacher's best tokens; "": the teacher runs along
  std::int64_t best = 32;     // tokens a position in it
  std::int64_t rank = 8;      // of adapters
  OnPolicyOptions on_policy;  // its seed is that of training
  TrainOptions train;
  std::uint64_t memory_limit = 0;  // 0: what this process may use
  std::string tool_version;
};

struct DistillReport {
  TrainReport train;
  std::int64_t samples = 0, rows = 0, parameters = 0;
  std::uint64_t memory_bytes = 0;
  std::string data_sha256;
  std::vector<std::string> notes;
};

// student: a checkpoint directory (of floats, or, when scales train, one that compress wrote), or a
// config.json (or a directory with one and no weights), from which a student is drawn by the seed.
// Writes a Hugging Face directory to `out`. Stopped at any moment it leaves OUT.partial, which the
// same call goes on with. Error: usage, bad input, unsupported, out of resources, interrupted.
DistillReport distill(Runtime& runtime, const std::string& teacher, const std::string& student,
                      const std::string& out, const DistillOptions& options, Progress& progress);

}  // namespace farthing::train
