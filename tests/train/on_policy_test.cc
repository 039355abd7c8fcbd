// What the student says in the place of the text: held to one full pass of the checkpoint that it
// was read from for every token.
#include "train/on_policy.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"

namespace farthing::train {
namespace {

using testing::HasSubstr;

// A loss that nobody asks for.
class NoLoss final : public Objective {
  RowLoss apply(const TrainingBatch&, std::int64_t, MatrixView<float> logits) override {
    RowLoss loss;
    for (std::int64_t r = 0; r < logits.rows; ++r)
      loss.total += static_cast<double>(logits.row_data(r)[0]);
    return loss;
  }
};

TrainingBatch some_batch() {
  TrainingBatch batch;
  batch.lengths = {12, 7, 20};
  Random random(3);
  for (const std::int64_t length : batch.lengths)
    for (std::int64_t t = 0; t < length; ++t)
      batch.tokens.push_back(static_cast<Token>(random.below(100)));
  for (std::size_t i = 0; i < batch.tokens.size(); ++i)
    batch.labels.push_back(batch.tokens[(i + 1) % batch.tokens.size()]);
  return batch;
}

struct Student {
  io::TempDir dir;
  OpenModel model{TinyLlama{}.write(dir)};
  Runtime runtime{2};
  Decoder decoder{runtime, model.map};
  NoLoss loss;

  TrainingBatch revise(const OnPolicyOptions& options, std::int64_t step = 0) {
    return OnPolicy(runtime, model.map, options, loss)
        .revise(some_batch(), step, decoder.parameters());
  }
};

TEST(OnPolicy, ContinuesPromptsWithTheStudentsOwnBestTokensWhenCold) {
  Student student;
  const TrainingBatch was = some_batch();
  const TrainingBatch is = student.revise({.share = 1, .temperature = 0.05, .prompt = 4});
  ASSERT_EQ(is.lengths, was.lengths);
  std::size_t first = 0;
  for (const std::int64_t length : is.lengths) {
    for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(is.tokens[first + t], was.tokens[first + t]);
    for (std::size_t t = 3; t < static_cast<std::size_t>(length); ++t) {
      const std::vector<std::int32_t> so_far(
          is.tokens.begin() + static_cast<std::ptrdiff_t>(first),
          is.tokens.begin() + static_cast<std::ptrdiff_t>(first + t + 1));
      const auto logits = reference::all_logits(student.runtime, *student.model.checkpoint, so_far);
      const std::size_t vocab = logits.size() / so_far.size();
      const auto last = logits.end() - static_cast<std::ptrdiff_t>(vocab);
      // Near ties may fall either way at a temperature that is not zero.
      EXPECT_GT(last[is.labels[first + t]], *std::max_element(last, logits.end()) - 0.5f);
      if (t + 1 < static_cast<std::size_t>(length)) {
        EXPECT_EQ(is.labels[first + t], is.tokens[first + t + 1]);
      }
    }
    first += static_cast<std::size_t>(length);
  }
}

TEST(OnPolicy, FollowsSeedAndStepAlone) {
  Student student;
  const OnPolicyOptions options{.share = 0.7, .temperature = 1, .prompt = 0, .seed = 5};
  const TrainingBatch one = student.revise(options, 3), two = student.revise(options, 3);
  EXPECT_EQ(one.tokens, two.tokens);
  EXPECT_EQ(one.labels, two.labels);
  EXPECT_NE(one.tokens, student.revise(options, 4).tokens);
  OnPolicyOptions other = options;
  other.seed = 6;
  EXPECT_NE(one.tokens, student.revise(other, 3).tokens);
}

TEST(OnPolicy, LeavesSamplesThatItDoesNotTake) {
  Student student;
  EXPECT_EQ(student.revise({.share = 0}).tokens, some_batch().tokens);
  int taken = 0;
  for (int step = 0; step < 40; ++step) {
    const TrainingBatch is = student.revise({.share = 0.25}, step);
    std::size_t first = 0;
    for (const std::int64_t length : is.lengths) {
      const auto begin = static_cast<std::ptrdiff_t>(first);
      taken += !std::equal(is.tokens.begin() + begin, is.tokens.begin() + begin + length,
                           some_batch().tokens.begin() + begin);
      first += static_cast<std::size_t>(length);
    }
  }
  EXPECT_GE(taken, 15);  // of 120, each with a chance of a quarter: 30 +- 5
  EXPECT_LE(taken, 45);
}

// At temperature 1 tokens come as often as the student gives them.
TEST(OnPolicy, DrawsByTheStudentsProbabilities) {
  Student student;
  const std::vector<std::int32_t> prompt = {7, 31, 2};
  const auto logits = reference::all_logits(student.runtime, *student.model.checkpoint, prompt);
  const std::size_t vocab = logits.size() / 3;
  std::vector<double> p(logits.end() - static_cast<std::ptrdiff_t>(vocab), logits.end());
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x);
  const auto best = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
  const double expected = p[best] / sum;
  TrainingBatch batch;
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) {
    batch.tokens.insert(batch.tokens.end(), prompt.begin(), prompt.end());
    batch.lengths.push_back(3);
  }
  batch.labels.assign(batch.tokens.size(), 0);
  const TrainingBatch is =
      OnPolicy(student.runtime, student.model.map, {.share = 1, .prompt = 3}, student.loss)
          .revise(batch, 0, student.decoder.parameters());
  double count = 0;
  for (std::size_t i = 0; i < kDraws; ++i)
    count += is.labels[3 * i + 2] == static_cast<Token>(best) ? 1 : 0;
  EXPECT_NEAR(count / kDraws, expected, 4 * std::sqrt(expected * (1 - expected) / kDraws));
}

TEST(OnPolicy, OptionsOutOfRangeAreOneClearSentence) {
  const auto complaint = [](const OnPolicyOptions& options) -> std::string {
    try {
      check(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(complaint({.share = 1}), "");
  EXPECT_THAT(complaint({.share = 1.5}), HasSubstr("--on-policy must be a share of the samples"));
  EXPECT_THAT(complaint({.share = std::numeric_limits<double>::quiet_NaN()}),
              HasSubstr("--on-policy must be"));
  EXPECT_THAT(complaint({.temperature = 0}), HasSubstr("--sample-temperature must be from 0.05"));
  EXPECT_THAT(complaint({.prompt = -1}), HasSubstr("--prompt must not be negative; got -1"));
}

// What stops a run says where numbers first went wrong.
TEST(BrokenNumbers, AreNamedByTheirLayer) {
  Student student;
  for (const auto& parameter : student.decoder.parameters().all())
    if (parameter->name == "model.layers.1.mlp.up_proj.weight")
      parameter->value.view().data[5] = std::numeric_limits<float>::quiet_NaN();
  try {
    student.decoder.accumulate(some_batch(), student.loss);
    FAIL() << "a loss that is no number went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr("the loss became not a number; the first numbers that are "
                                        "none are in layer 1"));
  }
}

}  // namespace
}  // namespace farthing::train
