#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/error.h"

namespace farthing::engine {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f};

std::map<Token, double> frequencies(SamplingOptions options, std::span<const Token> context = {}) {
  Sampler sampler(options);
  std::map<Token, double> counts;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) counts[sampler.sample(kLogits, context)] += 1.0 / kDraws;
  return counts;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler({.temperature = 0});
  EXPECT_EQ(sampler.sample(kLogits, {}), 1);
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheSoftmax) {
  const auto counts = frequencies({.temperature = 0.7, .seed = 3});
  double sum = 0;
  for (float logit : kLogits) sum += std::exp(logit / 0.7);
  for (std::size_t t = 0; t < kLogits.size(); ++t)
    EXPECT_NEAR(counts.count(static_cast<Token>(t)) ? counts.at(static_cast<Token>(t)) : 0,
                std::exp(kLogits[t] / 0.7) / sum, 0.01);
}

TEST(Sampler, TopKKeepsTheKMostLikely) {
  const auto counts = frequencies({.top_k = 2, .seed = 1});
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.count(1) && counts.count(3));
}

TEST(Sampler, TopPKeepsTheFewestThatReachP) {
  EXPECT_EQ(frequencies({.top_p = 0.3}).size(), 1u);  // the best has 0.41
  EXPECT_EQ(frequencies({.top_p = 0.5}).size(), 2u);
  EXPECT_EQ(frequencies({.top_p = 0.9}).size(), 3u);  // 0.41 + 0.41 + 0.15
}

TEST(Sampler, MinPComparesWithTheBest) {
  EXPECT_EQ(frequencies({.min_p = 0.9}).size(), 2u);
  EXPECT_EQ(frequencies({.min_p = 0.3}).size(), 3u);  // exp(-1) = 0.37
}

TEST(Sampler, ThePenaltyLowersWhatTheContextHas) {
  const std::vector<Token> context = {1, 3, 1};
  Sampler sampler({.temperature = 0, .repetition_penalty = 2.0});
  EXPECT_EQ(sampler.sample(kLogits, context), 2);  // 3 becomes 1.5, 2 stays
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  Sampler a({.seed = 9}), b({.seed = 9}), c({.seed = 10});
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const Token token = a.sample(kLogits, {});
    EXPECT_EQ(token, b.sample(kLogits, {}));
    differs = differs || token != c.sample(kLogits, {});
  }
  EXPECT_TRUE(differs);
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  EXPECT_THROW(check({.temperature = -1}), Error);
  EXPECT_THROW(check({.top_k = -1}), Error);
  EXPECT_THROW(check({.top_p = 0}), Error);
  EXPECT_THROW(check({.min_p = 1}), Error);
  EXPECT_THROW(check({.repetition_penalty = 0}), Error);
  EXPECT_THROW(check({.temperature = NAN}), Error);
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  for (const float bad : {NAN, INFINITY})
    for (const double temperature : {0.0, 1.0}) {
      std::vector<float> logits = kLogits;
      logits[4] = bad;
      EXPECT_THROW(Sampler({.temperature = temperature}).sample(logits, {}), Error);
    }
  std::vector<float> masked = kLogits;
  masked[4] = -INFINITY;
  EXPECT_EQ(Sampler({.temperature = 0}).sample(masked, {}), 1);
}

}  // namespace
}  // namespace farthing::engine
