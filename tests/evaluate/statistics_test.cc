#include "evaluate/statistics.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/random.h"

namespace farthing::evaluate {
namespace {

TEST(Statistics, ErrorOfAMeanIsThatOfTheSample) {
  const std::vector<double> values = {1, 2, 4, 9};
  const Estimate e = mean_of(values);
  EXPECT_DOUBLE_EQ(e.value, 4);
  EXPECT_NEAR(e.stderr_of_value, 1.7795130420052185, 1e-15);  // scipy.stats.sem
  EXPECT_EQ(mean_of(std::vector<double>{3}).stderr_of_value, 0);
  EXPECT_EQ(mean_of({}).value, 0);
  const Interval i = interval_of({.value = 10, .stderr_of_value = 1});
  EXPECT_NEAR(i.low, 8.040036015459946, 1e-12);
  EXPECT_NEAR(i.high, 11.959963984540054, 1e-12);
}

// By hand: n + 2 = 102; 15 changed; -6 / 102 -+ 1.96 sqrt(15 - 36 / 102) / 102.
TEST(Statistics, PairedChangeKeepsItsWidthWhereNothingChanged) {
  const Interval i = paired_change_interval(10, 4, 100);
  EXPECT_NEAR(i.low, -0.13236345, 1e-7);
  EXPECT_NEAR(i.high, 0.01471639, 1e-7);
  const Interval none = paired_change_interval(0, 0, 98);
  EXPECT_NEAR(none.high, 0.0196, 1e-4);
  EXPECT_EQ(none.low, -none.high);
}

// Of simulated pairs of models, at least nearly 95 in a hundred intervals hold the true change.
TEST(Statistics, PairedChangeCoversTheTruth) {
  Random random(5);
  constexpr int kTrials = 4000, kDocuments = 120;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::int64_t lost = 0, gained = 0;
    for (int d = 0; d < kDocuments; ++d) {
      const double u = random.uniform();
      lost += u < 0.05 ? 1 : 0;
      gained += u >= 0.05 && u < 0.08 ? 1 : 0;
    }
    const Interval i = paired_change_interval(lost, gained, kDocuments);
    covered += i.low <= -0.02 && -0.02 <= i.high ? 1 : 0;
  }
  EXPECT_GT(covered, 0.94 * kTrials);
}

// scipy.stats.binomtest(min, n, 0.5).pvalue
TEST(Statistics, McNemarIsTheExactBinomialTest) {
  EXPECT_EQ(mcnemar_p(0, 0), 1);
  EXPECT_EQ(mcnemar_p(5, 5), 1);
  EXPECT_NEAR(mcnemar_p(1, 0), 1.0, 1e-12);
  EXPECT_NEAR(mcnemar_p(6, 0), 0.03125, 1e-12);
  EXPECT_NEAR(mcnemar_p(2, 10), 0.03857421875, 1e-12);
  EXPECT_NEAR(mcnemar_p(10, 2), 0.03857421875, 1e-12);
  EXPECT_NEAR(mcnemar_p(480, 520), 0.21744829320414094, 1e-9);
}

}  // namespace
}  // namespace farthing::evaluate
