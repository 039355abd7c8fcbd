#include "evaluate/statistics.h"

#include <gtest/gtest.h>

#include <vector>

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
