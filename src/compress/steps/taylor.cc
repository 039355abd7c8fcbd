// Importance of channels and heads by the gradient of the loss.
#include <algorithm>
#include <functional>
#include <numeric>

#include "compress/steps/structured.h"
#include "core/error.h"
#include "core/text.h"
#include "train/distillation.h"
#include "train/trainer.h"

namespace farthing::compress {
namespace {

// The sample with its own next tokens as labels, its loss a mean over tokens.
train::TrainingBatch batch_of(const calibrate::Sample& sample) {
  train::TrainingBatch batch;
  batch.tokens.assign(sample.tokens.begin(), sample.tokens.end() - 1);
  batch.labels.assign(sample.tokens.begin() + 1, sample.tokens.end());
  batch.lengths = {std::ssize(batch.tokens)};
  batch.corpus_rows = {0};
  batch.row_weight = 1 / static_cast<double>(batch.tokens.size());
  return batch;
}

// The derivative of the loss by a gate before each `width` consecutive inputs.
std::vector<double> gate_derivatives(const train::Parameter& linear, std::int64_t width) {
  const auto w = linear.value.view(), g = linear.gradient.view();
  std::vector<double> sums(static_cast<std::size_t>(w.cols / width));
  for (std::int64_t r = 0; r < w.rows; ++r)
    for (std::int64_t j = 0; j < w.cols; ++j)
      sums[static_cast<std::size_t>(j / width)] +=
          static_cast<double>(w.row_data(r)[j]) * static_cast<double>(g.row_data(r)[j]);
  return sums;
}

void check_memory(const Survey& survey) {
  std::int64_t numbers = 0, longest = 0;
  for (const io::TensorInfo& tensor : survey.map.checkpoint().tensors())
    numbers += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                               std::multiplies<>());
  for (const calibrate::Sample& sample : survey.data.samples)
    longest = std::max(longest, std::ssize(sample.tokens));
  train::TrainOptions gradients_alone;  // no optimiser's state
  gradients_alone.part = train::Part::kNorms;
  const std::uint64_t need =
      train::memory_need(survey.map.config(), numbers, gradients_alone, longest);
  survey.progress.note(
      fmt::format("gradients of the samples need {} of memory", human_bytes(need)));
  if (survey.memory_limit != 0 && need > survey.memory_limit)
    out_of_resources(
        "scores by gradients need {} of memory, the limit is {}; raise --memory-limit, or use the "
        "same method without -taylor",
        human_bytes(need), human_bytes(survey.memory_limit));
}

}  // namespace

std::vector<std::vector<double>> gate_scores(const Survey& survey, model::Slot slot,
                                             std::int64_t width) {
  check_memory(survey);
  const auto layers = static_cast<std::size_t>(survey.map.config().layers);
  train::Decoder decoder(survey.runtime, survey.map, train::ParameterSet::Use::kGradients);
  std::vector<const train::Parameter*> linears;
  for (std::size_t layer = 0; layer < layers; ++layer)
    linears.push_back(decoder.parameters().matrix(survey.map, slot, static_cast<int>(layer)));
  for (const auto& parameter : decoder.parameters().all())  // spares the work for all others
    if (std::ranges::find(linears, parameter.get()) == linears.end())
      parameter->gradient = Matrix<float>();
  train::LossOptions labels_alone;
  labels_alone.labels = 1;
  train::Distillation objective(survey.runtime, labels_alone, nullptr, 0, {});
  std::vector<std::vector<double>> scores(layers);
  double samples = 0;
  std::int64_t done = 0;
  for (const calibrate::Sample& sample : survey.data.samples) {
    survey.progress.update("samples' gradients", ++done, std::ssize(survey.data.samples));
    if (survey.progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    if (sample.tokens.size() < 2) continue;
    decoder.parameters().clear_gradients(survey.runtime);
    decoder.accumulate(batch_of(sample), objective);
    ++samples;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::vector<double> slopes = gate_derivatives(*linears[layer], width);
      scores[layer].resize(slopes.size());
      for (std::size_t j = 0; j < slopes.size(); ++j) scores[layer][j] += slopes[j] * slopes[j];
    }
  }
  for (std::vector<double>& of_layer : scores)
    for (double& score : of_layer) score /= samples;
  return scores;
}

}  // namespace farthing::compress
