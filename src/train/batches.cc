#include "train/batches.h"

#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace farthing::train {

Batches::Batches(const calibrate::CalibrationData& data, std::int64_t per_step, std::int64_t seed)
    : per_step_(per_step), seed_(seed) {
  for (const calibrate::Sample& sample : data.samples) {
    if (sample.tokens.size() < 2) continue;
    samples_.push_back(sample.tokens);
    first_rows_.push_back(rows_);
    rows_ += std::ssize(sample.tokens) - 1;
  }
  if (samples_.empty()) bad_input("the training text has no sample of two tokens or more");
}

TrainingBatch Batches::join(std::span<const std::int64_t> which) const {
  TrainingBatch batch;
  for (const std::int64_t i : which) {
    const auto& sample = samples_[static_cast<std::size_t>(i)];
    batch.tokens.insert(batch.tokens.end(), sample.begin(), sample.end() - 1);
    batch.labels.insert(batch.labels.end(), sample.begin() + 1, sample.end());
    batch.lengths.push_back(std::ssize(sample) - 1);
    batch.corpus_rows.push_back(first_rows_[static_cast<std::size_t>(i)]);
  }
  batch.row_weight = 1.0 / static_cast<double>(batch.tokens.size());
  return batch;
}

TrainingBatch Batches::range(std::int64_t first, std::int64_t count) const {
  std::vector<std::int64_t> which(static_cast<std::size_t>(std::min(count, samples() - first)));
  std::iota(which.begin(), which.end(), first);
  return join(which);
}

TrainingBatch Batches::step(std::int64_t step) const {
  std::vector<std::int64_t> which, order;
  std::int64_t shuffled = -1;
  for (std::int64_t i = step * per_step_; i < (step + 1) * per_step_; ++i) {
    const std::int64_t round = i / samples();
    if (round != shuffled) {
      order.resize(samples_.size());
      std::iota(order.begin(), order.end(), 0);
      Random random(static_cast<std::uint64_t>(seed_) * 0x9E3779B97F4A7C15u +
                    static_cast<std::uint64_t>(round));
      for (std::size_t n = order.size(); n > 1; --n)
        std::swap(order[n - 1], order[random.below(n)]);
      shuffled = round;
    }
    which.push_back(order[static_cast<std::size_t>(i % samples())]);
  }
  return join(which);
}

std::vector<TrainingBatch> split(const TrainingBatch& batch, std::int64_t tokens) {
  std::vector<TrainingBatch> parts;
  std::int64_t at = 0;
  for (std::size_t s = 0; s < batch.lengths.size(); ++s) {
    const std::int64_t length = batch.lengths[s];
    if (parts.empty() || std::ssize(parts.back().tokens) + length > tokens) {
      parts.emplace_back();
      parts.back().row_weight = batch.row_weight;
    }
    TrainingBatch& part = parts.back();
    part.tokens.insert(part.tokens.end(), batch.tokens.begin() + at,
                       batch.tokens.begin() + at + length);
    part.labels.insert(part.labels.end(), batch.labels.begin() + at,
                       batch.labels.begin() + at + length);
    part.lengths.push_back(length);
    part.corpus_rows.push_back(batch.corpus_rows[s]);
    at += length;
  }
  return parts;
}

}  // namespace farthing::train
