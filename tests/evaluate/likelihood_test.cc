#include "evaluate/likelihood.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "tests/reference/all_logits.h"

namespace farthing::evaluate {
namespace {

// Each continuation by itself, in a pass over all of its tokens but the last.
Likelihood alone(Runtime& runtime, const io::Checkpoint& checkpoint, const Continuation& c) {
  const std::span read(c.tokens.data(), c.tokens.size() - 1);
  const std::vector<float> logits = reference::all_logits(runtime, checkpoint, read);
  const std::size_t vocab = logits.size() / read.size();
  Likelihood l{.log_likelihood = 0, .greedy = true};
  for (std::size_t t = c.tokens.size() - static_cast<std::size_t>(c.scored); t < c.tokens.size();
       ++t) {
    const float* row = logits.data() + (t - 1) * vocab;
    double sum = 0;
    std::size_t best = 0;
    for (std::size_t v = 0; v < vocab; ++v) {
      sum += std::exp(static_cast<double>(row[v]));
      if (row[v] > row[best]) best = v;
    }
    const auto truth = static_cast<std::size_t>(c.tokens[t]);
    l.log_likelihood += static_cast<double>(row[truth]) - std::log(sum);
    l.greedy = l.greedy && best == truth;
  }
  return l;
}

std::vector<Token> random_tokens(Random& random, std::size_t count) {
  std::vector<Token> tokens(count);
  for (Token& t : tokens) t = static_cast<Token>(random.below(90));
  return tokens;
}

// Questions with examples in common, with contexts that differ early or late, with one
// continuation, and with continuations that begin or are alike.
std::vector<Question> questions(Random& random) {
  std::vector<Question> all;
  const std::vector<Token> examples = random_tokens(random, 9);
  for (int q = 0; q < 24; ++q) {
    Question& question = all.emplace_back();
    std::vector<Token> context = q % 4 == 3 ? std::vector<Token>{} : examples;
    const std::vector<Token> own = random_tokens(random, 1 + random.below(20));
    context.insert(context.end(), own.begin(), own.end());
    const std::size_t choices = 1 + random.below(4);
    for (std::size_t i = 0; i < choices; ++i) {
      Continuation c{.tokens = context, .scored = 1 + static_cast<std::int64_t>(random.below(6))};
      if (q % 5 == 4) c.tokens[random.below(c.tokens.size())] = 1;
      const auto end = random_tokens(random, static_cast<std::size_t>(c.scored));
      c.tokens.insert(c.tokens.end(), end.begin(), end.end());
      question.push_back(i > 0 && q % 7 == 6 ? question.front() : c);
    }
  }
  return all;
}

class SharedContexts : public testing::TestWithParam<std::string> {};

// phi3-longrope-long changes its frequencies at 16 tokens: nothing cached for fewer serves more.
TEST_P(SharedContexts, GiveTheLikelihoodsOfEachContinuationByItself) {
  Runtime runtime(2);
  const auto checkpoint = io::Checkpoint::open(std::string(FARTHING_SOURCE_DIR) +
                                               "/tests/golden/architectures/" + GetParam());
  const auto model = model::Model::load(runtime, *checkpoint);
  Random random(11);
  const std::vector<Question> all = questions(random);
  SilentProgress progress;
  const auto got =
      likelihoods(runtime, {model.get(), kernels::KvType::kF32}, all, "questions", progress);
  ASSERT_EQ(got.size(), all.size());
  for (std::size_t q = 0; q < all.size(); ++q) {
    ASSERT_EQ(got[q].size(), all[q].size());
    for (std::size_t i = 0; i < all[q].size(); ++i) {
      const Likelihood want = alone(runtime, *checkpoint, all[q][i]);
      // FP32 sums in another order: some 1e-6 of logits of about 10, per token.
      EXPECT_NEAR(got[q][i].log_likelihood, want.log_likelihood, 1e-4) << q << " " << i;
      EXPECT_EQ(got[q][i].greedy, want.greedy) << q << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, SharedContexts,
                         testing::Values("llama-gqa", "llama-dynamic", "phi3-longrope-long",
                                         "gemma3"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace farthing::evaluate
