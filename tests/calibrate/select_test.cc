// Choosing samples: what must be taken first is known in these cases.
#include "calibrate/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/random.h"
#include "io/checkpoint.h"

namespace farthing::calibrate {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

Sample sample_of(Token first, int count) {
  Sample sample;
  for (int i = 0; i < count; ++i) sample.tokens.push_back(first + i);
  return sample;
}

TEST(SelectSamples, TakesNewTokensBeforeMoreOfTheSame) {
  // Three times the same words, and one sample of others.
  const std::vector<Sample> samples = {sample_of(0, 20), sample_of(0, 20), sample_of(0, 20),
                                       sample_of(100, 20)};
  const Selection two = select_samples(samples, {}, 2);
  EXPECT_THAT(two.chosen, UnorderedElementsAre(0, 3));
  EXPECT_GT(two.tokens, 0.5);
  EXPECT_NEAR(select_samples(samples, {}, 4).tokens, 1, 1e-9);
}

TEST(SelectSamples, TakesStatesOfNewDirections) {
  // The same tokens everywhere; states of all samples but the last lie in one direction.
  const std::vector<Sample> samples(4, sample_of(0, 20));
  std::vector<float> states(4 * kStateRows * kStateWidth);
  for (std::size_t s = 0; s < 4; ++s)
    for (std::size_t r = 0; r < static_cast<std::size_t>(kStateRows); ++r)
      states[(s * kStateRows + r) * kStateWidth + (s == 3 ? 1 + r : 0)] = 1;
  EXPECT_THAT(select_samples(samples, states, 2).chosen, ElementsAre(3, 0));
}

// log det(I + sum of outer products) by Gaussian elimination of the whole matrix.
double volume(const std::vector<float>& states, const std::vector<std::size_t>& chosen) {
  constexpr auto n = static_cast<std::size_t>(kStateWidth);
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < n; ++i) a[i * n + i] = 1;
  for (const std::size_t s : chosen)
    for (std::size_t r = 0; r < static_cast<std::size_t>(kStateRows); ++r) {
      const float* row = states.data() + (s * kStateRows + r) * n;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) a[i * n + j] += static_cast<double>(row[i]) * row[j];
    }
  double log_det = 0;
  for (std::size_t i = 0; i < n; ++i) {
    log_det += std::log(a[i * n + i]);
    for (std::size_t k = i + 1; k < n; ++k) {
      const double factor = a[k * n + i] / a[i * n + i];
      for (std::size_t j = i; j < n; ++j) a[k * n + j] -= factor * a[i * n + j];
    }
  }
  return log_det;
}

TEST(SelectSamples, CountsTheVolumeOfTheStatesItChose) {
  const std::vector<Sample> samples(12, sample_of(0, 20));
  std::vector<float> states(12 * kStateRows * kStateWidth);
  Random random(5);
  for (float& value : states) value = static_cast<float>(random.uniform() - 0.5);
  std::vector<std::size_t> all(12);
  std::iota(all.begin(), all.end(), 0u);
  const Selection five = select_samples(samples, states, 5);
  EXPECT_NEAR(five.states, volume(states, five.chosen) / volume(states, all), 1e-6);
}

TEST(SelectSamples, HiddenStatesDoNotDependOnThreadsAndTellSamplesApart) {
  const auto checkpoint = io::Checkpoint::open(FARTHING_SOURCE_DIR "/models/demo/books-llama-8m");
  const std::vector<Sample> samples = {sample_of(100, 40), sample_of(900, 40), sample_of(7, 1)};
  std::vector<std::vector<float>> runs;
  for (const int threads : {1, 3}) {
    Runtime runtime(threads);
    const auto model = model::Model::load(runtime, *checkpoint);
    SilentProgress progress;
    runs.push_back(hidden_states(runtime, *model, samples, progress));
  }
  EXPECT_EQ(runs[0], runs[1]);
  const auto part = runs[0].begin() + kStateRows * kStateWidth;
  EXPECT_FALSE(std::equal(runs[0].begin(), part, part));
}

}  // namespace
}  // namespace farthing::calibrate
