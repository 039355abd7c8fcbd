#include "bench/measure.h"

#include <gtest/gtest.h>

#include "bench/table.h"

namespace farthing::bench {
namespace {

TEST(Measure, MediansAndPercentilesAreThoseOfTheTextbook) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({4, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 9}), 3);
  // Nearest rank, as of the sorted 15 20 35 40 50.
  const std::vector<double> values = {50, 15, 40, 20, 35};
  EXPECT_EQ(percentile(values, 0.05), 15);
  EXPECT_EQ(percentile(values, 0.30), 20);
  EXPECT_EQ(percentile(values, 0.40), 20);
  EXPECT_EQ(percentile(values, 0.50), 35);
  EXPECT_EQ(percentile(values, 1.00), 50);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Measure, ASpreadHoldsTheEnds) {
  const Spread spread = spread_of({2, 9, 4});
  EXPECT_EQ(spread.median, 4);
  EXPECT_EQ(spread.min, 2);
  EXPECT_EQ(spread.max, 9);
}

TEST(Table, AlignsNumbersRightAndTextLeft) {
  Table table({{"n"}, {"name", false}, {"x"}});
  table.add({"1", "a", "2.5"});
  table.add({"100", "bcdef", ""});
  EXPECT_EQ(table.text(),
            "  n  name     x\n"
            "  1  a      2.5\n"
            "100  bcdef\n");
}

TEST(Table, BarsAreClamped) {
  EXPECT_EQ(bar(0.5, 4), "##  ");
  EXPECT_EQ(bar(-1, 4), "    ");
  EXPECT_EQ(bar(7, 4), "####");
  EXPECT_EQ(bar(0.0 / 0.0, 2), "  ");
}

}  // namespace
}  // namespace farthing::bench
