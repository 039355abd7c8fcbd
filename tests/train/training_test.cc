// Losses, optimisers, schedules and checkpoints of training.
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "kernels/gradients/gradients.h"
#include "tests/io/files.h"
#include "train/adapters.h"
#include "train/distillation.h"
#include "train/training_state.h"

namespace farthing::train {
namespace {

std::vector<float> bell(std::size_t count, std::uint64_t seed, double spread) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values)
    v = static_cast<float>(spread * (random.uniform() + random.uniform() + random.uniform() - 1.5));
  return values;
}

std::vector<double> softmax(std::span<const float> logits, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float v : logits) p.push_back(std::exp(static_cast<double>(v) / temperature));
  for (const double v : p) sum += v;
  for (double& v : p) v /= sum;
  return p;
}
double kl(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}
std::vector<double> blend(double share, const std::vector<double>& a,
                          const std::vector<double>& b) {
  std::vector<double> m;
  for (std::size_t i = 0; i < a.size(); ++i) m.push_back(share * a[i] + (1 - share) * b[i]);
  return m;
}
// The definitions of losses.h, from the papers, on probabilities.
double divergence(Divergence d, const std::vector<double>& p, const std::vector<double>& q) {
  switch (d) {
    case Divergence::kForward:
      return kl(p, q);
    case Divergence::kReverse:
      return kl(q, p);
    case Divergence::kJensenShannon:
      return 0.3 * kl(p, blend(0.3, p, q)) + 0.7 * kl(q, blend(0.3, p, q));
    case Divergence::kSkewForward:
      return kl(p, blend(0.3, p, q));
    case Divergence::kSkewReverse:
      return kl(q, blend(0.3, q, p));
  }
  return 0;
}

constexpr Divergence kAll[] = {Divergence::kForward, Divergence::kReverse,
                               Divergence::kJensenShannon, Divergence::kSkewForward,
                               Divergence::kSkewReverse};

LossOptions options_of(Divergence d, double labels) {
  const bool mixes = d != Divergence::kForward && d != Divergence::kReverse;
  return {.divergence = d, .mix = mixes ? 0.3 : 0.0, .temperature = 1.7, .labels = labels};
}

// The best three tokens and a rest, or everything.
struct Kept {
  std::vector<std::int32_t> tokens;
  std::vector<float> probabilities;
  TeacherRow row() const { return {tokens, probabilities}; }
};
Kept kept_of(std::span<const float> teacher, bool best) {
  const auto p = softmax(teacher, 1.7);
  if (!best) return {{}, {p.begin(), p.end()}};
  const double rest = 1 - p[2] - p[5] - p[7];
  return {{2, 5, 7}, {float(p[2]), float(p[5]), float(p[7]), float(rest)}};
}
double expected_loss(const LossOptions& o, std::span<const float> student,
                     std::span<const float> teacher, std::int32_t label, bool best) {
  auto p = softmax(teacher, 1.7), q = softmax(student, 1.7);
  if (best) {
    p = {p[2], p[5], p[7], 1 - p[2] - p[5] - p[7]};
    q = {q[2], q[5], q[7], 1 - q[2] - q[5] - q[7]};
  }
  const double hard = -std::log(softmax(student, 1)[static_cast<std::size_t>(label)]);
  return o.labels * hard + (1 - o.labels) * 1.7 * 1.7 * divergence(o.divergence, p, q);
}

TEST(Losses, AreTheDefinitionsAndTheirGradientsTheSlopes) {
  const auto student = bell(11, 1, 3), teacher = bell(11, 2, 3);
  for (const Divergence d : kAll)
    for (const bool best : {false, true})
      for (const double labels : {0.0, 0.4}) {
        const LossOptions options = options_of(d, labels);
        const Kept kept = kept_of(teacher, best);
        LossOperator loss(isas_here(), options);
        auto gradient = student;
        const RowLoss got = loss.apply(gradient, 5, kept.row(), 0.25);
        EXPECT_NEAR(got.total, expected_loss(options, student, teacher, 5, best), 1e-5)
            << divergence_name(d) << best;
        for (std::size_t i = 0; i < student.size(); ++i) {
          auto up = student, down = student;
          up[i] += 1e-2f, down[i] -= 1e-2f;
          const double slope = (expected_loss(options, up, teacher, 5, best) -
                                expected_loss(options, down, teacher, 5, best)) /
                               (static_cast<double>(up[i]) - static_cast<double>(down[i]));
          EXPECT_NEAR(gradient[i], 0.25 * slope, 1e-4) << divergence_name(d) << best << i;
        }
      }
}

TEST(Losses, VanishForAStudentThatSaysWhatItsTeacherSays) {
  const auto logits = bell(40, 3, 4);
  for (const Divergence d : kAll) {
    LossOperator loss(isas_here(), options_of(d, 0));
    const Kept kept = kept_of(logits, false);
    auto gradient = logits;
    EXPECT_NEAR(loss.apply(gradient, 0, kept.row(), 1).total, 0, 1e-5) << divergence_name(d);
    for (const float g : gradient) EXPECT_NEAR(g, 0, 1e-6) << divergence_name(d);
  }
}

TEST(Schedule, RisesInAStraightLineAndFallsAlongACosine) {
  EXPECT_DOUBLE_EQ(schedule(0, 100, 10, 0.1), 0.1);
  EXPECT_DOUBLE_EQ(schedule(9, 100, 10, 0.1), 1.0);
  EXPECT_DOUBLE_EQ(schedule(10, 100, 10, 0.1), 1.0);
  EXPECT_NEAR(schedule(55, 100, 10, 0.1), 0.55, 1e-12);
  EXPECT_NEAR(schedule(100, 100, 10, 0.1), 0.1, 1e-12);
  EXPECT_DOUBLE_EQ(schedule(0, 1, 0, 0.1), 1.0);
}

Parameter parameter_of(std::vector<float> values, std::vector<float> gradient, bool matrix) {
  Parameter p;
  p.name = "p";
  p.is_matrix = matrix;
  const auto n = std::ssize(values);
  std::ranges::copy(values, p.value.resize(1, n).data);
  std::ranges::copy(gradient, p.gradient.resize(1, n).data);
  return p;
}

TEST(AdamW, TakesTheStepsOfThePaper) {
  Runtime runtime(1);
  Parameter p = parameter_of({1.0f, -2.0f}, {0.5f, -1.0f}, true);
  Optimizer optimizer({&p}, {.beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1, .clip = 0});
  double value[2] = {1, -2}, first[2] = {}, second[2] = {};
  const double gradient[2] = {0.5, -1};
  for (int t = 1; t <= 3; ++t) {
    optimizer.step(runtime, 0.01, 1);
    for (int i = 0; i < 2; ++i) {
      first[i] = 0.9 * first[i] + 0.1 * gradient[i];
      second[i] = 0.99 * second[i] + 0.01 * gradient[i] * gradient[i];
      value[i] -= 0.01 * 0.1 * value[i];
      value[i] -= 0.01 * (first[i] / (1 - std::pow(0.9, t))) /
                  (std::sqrt(second[i] / (1 - std::pow(0.99, t))) + 1e-8);
      EXPECT_NEAR(p.value.view().data[i], value[i], 1e-6);
    }
  }
}

TEST(Clipping, ShortensTheGradientOfAllParametersTogether) {
  Runtime runtime(2);
  Parameter a = parameter_of({0, 0}, {3, 0}, false), b = parameter_of({0}, {4}, false);
  Optimizer optimizer({&a, &b}, {.clip = 1});
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(runtime).norm, 5);
  b.gradient.view().data[0] = NAN;
  EXPECT_EQ(optimizer.gradient_norm(runtime).broken, "p");
}

TEST(SignSteps, HaveOneLengthAndNoState) {
  Runtime runtime(1);
  Parameter p = parameter_of({1, 1, 1}, {1e-9f, -5, 0}, false);
  Optimizer optimizer({&p}, {.kind = OptimizerKind::kSign});
  optimizer.step(runtime, 0.25, 1);
  EXPECT_EQ(p.value.view().data[0], 0.75f);
  EXPECT_EQ(p.value.view().data[1], 1.25f);
  EXPECT_EQ(p.value.view().data[2], 1.0f);
  EXPECT_EQ(optimizer.state().size(), 1u);
}

TEST(Bf16Weights, StayBf16WhileTheirMastersAddUpSmallSteps) {
  Runtime runtime(1);
  Parameter p = parameter_of({1}, {1}, false);
  Optimizer optimizer({&p}, {.kind = OptimizerKind::kSign, .bf16 = true});
  for (int i = 0; i < 6; ++i) optimizer.step(runtime, 0.001, 1);  // each below half a unit
  EXPECT_EQ(p.value.view().data[0], 0.9921875f);
}

TEST(TrainingState, GoesOnToTheBit) {
  const io::TempDir dir;
  Runtime runtime(1);
  const auto values = bell(100, 5, 1), gradient = bell(100, 6, 1);
  Parameter whole = parameter_of(values, gradient, true);
  Optimizer all({&whole}, {.bf16 = true});
  for (int i = 0; i < 7; ++i) all.step(runtime, 0.01, 1);

  Parameter before = parameter_of(values, gradient, true);
  Optimizer some({&before}, {.bf16 = true});
  for (int i = 0; i < 3; ++i) some.step(runtime, 0.01, 1);
  save_state(dir.path("state"), some);
  Parameter after = parameter_of(std::vector<float>(100), gradient, true);
  Optimizer rest({&after}, {.bf16 = true});
  load_state(dir.path("state"), rest);
  EXPECT_EQ(rest.steps(), 3);
  for (int i = 0; i < 4; ++i) rest.step(runtime, 0.01, 1);
  EXPECT_TRUE(
      std::equal(after.value.view().data, after.value.view().data + 100, whole.value.view().data));
}

TEST(TrainingState, OfOtherParametersIsRefused) {
  const io::TempDir dir;
  Parameter p = parameter_of({1, 2}, {0, 0}, false), q = parameter_of({1, 2, 3}, {0, 0, 0}, false);
  Optimizer a({&p}, {}), b({&q}, {});
  save_state(dir.path("state"), a);
  EXPECT_THROW(load_state(dir.path("state"), b), Error);
}

TEST(BatchesOfSamples, ComeOnceARoundAndFollowTheSeedAlone) {
  calibrate::CalibrationData data;
  for (int i = 0; i < 5; ++i) data.samples.push_back({{i, i + 10, i + 20}, 0});
  data.samples.push_back({{99}, 0});
  const Batches batches(data, 2, 3);
  EXPECT_EQ(batches.samples(), 5);
  EXPECT_EQ(batches.rows(), 10);
  std::vector<int> seen(5);
  for (int step = 0; step < 5; ++step) {  // two rounds
    const TrainingBatch batch = batches.step(step);
    EXPECT_EQ(batch.lengths, (std::vector<std::int64_t>{2, 2}));
    for (const std::size_t s : {0, 1}) {
      const Token first = batch.tokens[2 * s];
      ++seen[static_cast<std::size_t>(first)];
      EXPECT_EQ(batch.labels[2 * s], first + 10);
      EXPECT_EQ(batch.corpus_rows[s], 2 * first);
    }
    EXPECT_EQ(batches.step(step).tokens, batch.tokens);
  }
  EXPECT_EQ(seen, (std::vector<int>{2, 2, 2, 2, 2}));
  EXPECT_EQ(split(batches.step(0), 3).size(), 2u);
  EXPECT_EQ(split(batches.step(0), 3)[1].row_weight, 0.25);
}

TEST(MatchingLayers, MeetAtTheEnds) {
  EXPECT_EQ(matching_layer(3, 4, 8), 7);
  EXPECT_EQ(matching_layer(0, 4, 8), 1);
  EXPECT_EQ(matching_layer(5, 6, 6), 5);
}

}  // namespace
}  // namespace farthing::train
