#include "tune/allocate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"

namespace farthing::tune {
namespace {

// Every assignment there is.
struct Best {
  bool feasible = false;
  double objective = kNoLimit;
};
Best brute_force(const Problem& p) {
  Best best;
  std::vector<std::size_t> picks(p.units.size(), 0);
  while (true) {
    double sums[kMeasures] = {};
    for (std::size_t u = 0; u < picks.size(); ++u)
      for (std::size_t m = 0; m < kMeasures; ++m) sums[m] += p.units[u][picks[u]][m];
    bool fits = true;
    for (std::size_t m = 0; m < kMeasures; ++m) fits = fits && sums[m] <= p.limits[m] * (1 + 1e-12);
    const double value = sums[static_cast<std::size_t>(p.objective)];
    if (fits && value < best.objective) best = {true, value};
    std::size_t u = 0;
    while (u < picks.size() && ++picks[u] == p.units[u].size()) picks[u++] = 0;
    if (u == picks.size()) return best;
  }
}

Problem random_problem(Random& random, std::size_t units) {
  Problem p;
  for (std::size_t u = 0; u < units; ++u) {
    p.units.emplace_back();
    const double size = 1 + 30 * random.uniform(), weight = random.uniform() * random.uniform();
    for (std::size_t o = 0, count = 1 + random.below(5); o < count; ++o) {
      const double bits = 2 + 6 * random.uniform();
      p.units.back().push_back({weight * size * std::exp2(-2 * bits) * (0.5 + random.uniform()),
                                size * bits * (0.8 + 0.4 * random.uniform()), size * bits,
                                size * bits + 3 * random.uniform()});
    }
  }
  return p;
}

// Limits somewhere between the least and the most that a measure can sum to.
double somewhere(const Problem& p, Measure m, Random& random) {
  double least = 0, most = 0;
  for (const auto& options : p.units) {
    double low = kNoLimit, high = 0;
    for (const Values& v : options) low = std::min(low, at(v, m)), high = std::max(high, at(v, m));
    least += low, most += high;
  }
  return least + (most - least) * random.uniform() * 0.7;
}

TEST(Allocate, FindsTheBestOfAllAssignments) {
  Random random(5);
  int feasible = 0, infeasible = 0;
  for (int trial = 0; trial < 400; ++trial) {
    Problem p = random_problem(random, 1 + random.below(7));
    p.objective = static_cast<Measure>(random.below(kMeasures));
    for (std::size_t m = 0, limits = random.below(4); m < kMeasures && limits > 0; ++m) {
      if (m == static_cast<std::size_t>(p.objective)) continue;
      p.limits[m] = somewhere(p, static_cast<Measure>(m), random);
      --limits;
    }
    const Best best = brute_force(p);
    const Assignment found = allocate(p);
    ASSERT_EQ(found.feasible, best.feasible) << trial;
    (best.feasible ? feasible : infeasible) += 1;
    if (!best.feasible) continue;
    ASSERT_NEAR(at(found.totals, p.objective), best.objective, 1e-9 * best.objective) << trial;
    ASSERT_LE(found.bound, best.objective * (1 + 1e-9)) << trial;
    ASSERT_TRUE(within(totals_of(p, found.picks), p.limits));
  }
  EXPECT_GT(feasible, 150);
  EXPECT_GT(infeasible, 20);
}

TEST(Allocate, StaysNearTheBestWhenStatesAreFew) {
  Random random(6);
  for (int trial = 0; trial < 20; ++trial) {
    Problem p = random_problem(random, 120);
    p.objective = Measure::kTime;
    p.limits[0] = somewhere(p, Measure::kLoss, random) * 0.1 + 1e-3;
    const Assignment found = allocate(p, 200);
    if (!found.feasible) continue;
    EXPECT_LE(at(found.totals, Measure::kTime), found.bound * 1.005) << trial;
  }
}

TEST(Allocate, TakesTheObjectivesLimitIntoAccount) {
  Problem p;
  p.units = {{{0.0, 5, 5, 5}, {1.0, 2, 2, 2}}};
  p.objective = Measure::kTime;
  p.limits = {0.5, 4, kNoLimit, kNoLimit};  // no loss, but faster than that is
  EXPECT_FALSE(allocate(p).feasible);
}

TEST(HullPath, ConvertsTheLeastSensitiveFirst) {
  Problem p;
  p.units = {{{0, 0, 16, 0}, {0.1, 0, 8, 0}, {0.5, 0, 4, 0}},
             {{0, 0, 16, 0}, {0.01, 0, 8, 0}, {1, 0, 7, 0}, {0.02, 0, 4, 0}}};
  const HullPath path = hull_path(p, Measure::kBytes);
  ASSERT_EQ(path.steps.size(), 4u);
  EXPECT_EQ(path.start, (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(path.steps[0].unit, 1u);
  EXPECT_EQ(path.steps[0].pick, 1u);
  EXPECT_EQ(path.steps[1].pick, 3u);  // past the one that lies above the hull
  EXPECT_EQ(path.steps[2].unit, 0u);
  EXPECT_DOUBLE_EQ(at(path.steps[3].totals, Measure::kBytes), 8);
  EXPECT_DOUBLE_EQ(at(path.steps[3].totals, Measure::kLoss), 0.52);
}

}  // namespace
}  // namespace farthing::tune
