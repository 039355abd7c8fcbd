#include "train/distillation.h"

#include <cmath>

namespace farthing::train {

int matching_layer(int layer, std::int64_t layers, std::int64_t teacher_layers) {
  const double share = static_cast<double>(layer + 1) / static_cast<double>(layers);
  return static_cast<int>(std::lround(share * static_cast<double>(teacher_layers))) - 1;
}

void Distillation::start(const TrainingBatch& batch) {
  if (teacher_ != nullptr) teacher_->start(batch);
}

RowLoss Distillation::apply(const TrainingBatch& batch, std::int64_t first,
                            MatrixView<float> logits) {
  if (teacher_ != nullptr) teacher_->prepare(first, logits.rows);
  std::vector<RowLoss> losses(static_cast<std::size_t>(logits.rows));
  runtime_.parallel(logits.rows, 8, [&](std::int64_t begin, std::int64_t end) {
    LossOperator loss(runtime_.isas, loss_);
    for (; begin < end; ++begin)
      losses[static_cast<std::size_t>(begin)] =
          loss.apply(logits.row(begin), batch.labels[static_cast<std::size_t>(first + begin)],
                     teacher_ != nullptr ? teacher_->row(begin) : TeacherRow{}, batch.row_weight);
  });
  RowLoss sum;
  for (const RowLoss& one : losses) {
    sum.total += one.total;
    sum.divergence += one.divergence;
    sum.labels += one.labels;
  }
  return sum;
}

double Distillation::hidden(const TrainingBatch& batch, int layer, MatrixView<const float> states,
                            MatrixView<float> gradient) {
  if (!(hidden_ > 0) || teacher_ == nullptr) return 0;
  const auto target = teacher_->hidden(matches_[static_cast<std::size_t>(layer)]);
  if (target.rows != states.rows) return 0;
  const double weight = hidden_ * batch.row_weight / static_cast<double>(matches_.size());
  std::vector<double> losses(static_cast<std::size_t>(states.rows));
  runtime_.parallel(states.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      const float *x = states.row_data(begin), *t = target.row_data(begin);
      double far = 0, size = 1e-12;
      for (std::int64_t j = 0; j < states.cols; ++j) {
        const double d = static_cast<double>(x[j]) - static_cast<double>(t[j]);
        far += d * d;
        size += static_cast<double>(t[j]) * static_cast<double>(t[j]);
      }
      losses[static_cast<std::size_t>(begin)] = weight * far / size;
      const auto pull = static_cast<float>(2 * weight / size);
      float* to = gradient.row_data(begin);
      for (std::int64_t j = 0; j < states.cols; ++j) to[j] += pull * (x[j] - t[j]);
    }
  });
  double sum = 0;
  for (const double one : losses) sum += one;
  return sum;
}

}  // namespace farthing::train
