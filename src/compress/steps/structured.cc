#include "compress/steps/structured.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

// The mean of f(input j) over the sampled tokens. Those that begin a sample are left out: some of
// their inputs are a thousand times those of others, and a bias is for all tokens.
template <class F>
double mean_over(const calibrate::LinearStatistics& inputs, std::int64_t j, const F& f) {
  const auto sample = inputs.sample.view();
  double sum = 0, count = 0;
  for (std::int64_t t = 0; t < sample.rows; ++t) {
    const auto at = static_cast<std::size_t>(t);
    if (at < inputs.sample_is_first.size() && inputs.sample_is_first[at]) continue;
    sum += f(static_cast<double>(sample.row_data(t)[j]));
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

double mean_of(const calibrate::LinearStatistics& inputs, std::int64_t j) {
  return mean_over(inputs, j, [](double x) { return x; });
}

double variance_of(const calibrate::LinearStatistics& inputs, std::int64_t j) {
  const double mean = mean_of(inputs, j);
  return mean_over(inputs, j, [&](double x) { return (x - mean) * (x - mean); });
}

}  // namespace

double share_of(const Setting& settings, std::string_view step, double otherwise) {
  const Setting* setting = settings.find("sparsity");
  if (setting == nullptr) return otherwise;
  if (setting->text.find(':') != std::string::npos)
    bad_input(
        "{}: sparsity of {} is a share of what it takes out, as 0.25; patterns as {} are for "
        "single weights (wanda, sparsegpt)",
        setting->where, step, printable(setting->text));
  const double share = number_of(*setting, "sparsity");
  if (!(share >= 0 && share < 1))
    bad_input("{}: sparsity of {} must be a share from 0 to below 1; got {}", setting->where, step,
              printable(setting->text));
  return share;
}

std::vector<double> input_scores(Runtime& runtime, MatrixView<const float> weights,
                                 const calibrate::LinearStatistics& inputs, ChannelScore score) {
  std::vector<double> scores(static_cast<std::size_t>(weights.cols));
  runtime.parallel(weights.cols, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < weights.rows; ++r)
      for (std::int64_t j = begin; j < end; ++j) {
        const double w = weights.row_data(r)[j];
        scores[static_cast<std::size_t>(j)] += w * w;
      }
    for (std::int64_t j = begin; j < end; ++j)
      scores[static_cast<std::size_t>(j)] *=
          score == ChannelScore::kFlap
              ? variance_of(inputs, j)
              : static_cast<double>(inputs.square[static_cast<std::size_t>(j)]);
  });
  return scores;
}

std::vector<float> lost_mean(MatrixView<const float> weights,
                             const calibrate::LinearStatistics& inputs,
                             const std::vector<std::int32_t>& kept) {
  std::vector<double> means(static_cast<std::size_t>(weights.cols));
  for (std::int64_t j = 0; j < weights.cols; ++j)
    means[static_cast<std::size_t>(j)] = mean_of(inputs, j);
  for (const std::int32_t j : kept) means[static_cast<std::size_t>(j)] = 0;
  std::vector<float> lost;
  for (std::int64_t r = 0; r < weights.rows; ++r) {
    double sum = 0;
    for (std::int64_t j = 0; j < weights.cols; ++j)
      sum += static_cast<double>(weights.row_data(r)[j]) * means[static_cast<std::size_t>(j)];
    lost.push_back(static_cast<float>(sum));
  }
  return lost;
}

std::vector<std::int32_t> highest(const std::vector<double>& scores, std::int64_t count) {
  std::vector<std::int32_t> places(scores.size());
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  places.resize(static_cast<std::size_t>(count));
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace farthing::compress
