// The samples of a training text, dealt out step by step.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/data.h"
#include "train/decoder.h"

namespace farthing::train {

// Every sample once in each round through the data, in an order that depends on the seed and the
// round alone, so that a run that goes on sees what it would have seen.
class Batches {
 public:
  // Samples of one token, which nothing follows, are left out. Error: bad input without any sample.
  Batches(const calibrate::CalibrationData& data, std::int64_t per_step, std::int64_t seed);

  std::int64_t samples() const { return std::ssize(samples_); }
  std::int64_t rows() const { return rows_; }  // tokens that have a next one, of all samples
  TrainingBatch step(std::int64_t step) const;
  // All samples in their own order, some at a time: for a teacher's cache.
  TrainingBatch range(std::int64_t first, std::int64_t count) const;

 private:
  TrainingBatch join(std::span<const std::int64_t> which) const;

  std::vector<std::vector<Token>> samples_;
  std::vector<std::int64_t> first_rows_;
  std::int64_t per_step_, seed_, rows_ = 0;
};

// The batch in parts of at most about `tokens` tokens and of whole sequences, whose gradients add
// up to the batch's.
std::vector<TrainingBatch> split(const TrainingBatch& batch, std::int64_t tokens);

}  // namespace farthing::train
