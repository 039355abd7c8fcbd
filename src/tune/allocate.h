// Which alternative each unit gets: the least of one measure within limits on the others.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace farthing::tune {

// What an alternative of a unit adds to the whole. All are sums over the units.
enum class Measure : std::uint8_t {
  kLoss,
  kTime,
  kBytes,
  kMemory
};  // nats, s, B on disk, B in RAM
inline constexpr std::size_t kMeasures = 4;
using Values = std::array<double, kMeasures>;
constexpr double& at(Values& values, Measure m) { return values[static_cast<std::size_t>(m)]; }
constexpr double at(const Values& values, Measure m) { return values[static_cast<std::size_t>(m)]; }
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Problem {
  std::vector<std::vector<Values>> units;  // the options of each; none is empty
  Measure objective = Measure::kTime;
  Values limits = {kNoLimit, kNoLimit, kNoLimit, kNoLimit};  // of the totals
};

struct Assignment {
  std::vector<std::size_t> picks;  // of each unit, into its options
  Values totals = {};
  bool feasible = false;
  double bound = 0;  // no feasible assignment has less of the objective
};

Values totals_of(const Problem& problem, const std::vector<std::size_t>& picks);
bool within(const Values& totals, const Values& limits);

// Lagrangian multipliers (Everett, 1963) give a bound and a first assignment, pairs of units that
// change together improve it, and a dynamic programme over the undominated partial sums that can
// still beat it (Nemhauser and Ullmann, 1969) finds the best. The programme is exact up to
// `most_states` partial sums a unit and a beam of the most promising beyond: `bound` tells how far
// the answer can be from the best. Not feasible: picks are those that break the limits least that
// were seen.
Assignment allocate(const Problem& problem, std::size_t most_states = 20000);

// From the least loss to the least cost by single changes of units, those with the least loss for
// the cost they save first: the convex hull of loss over cost, and the order in which practitioners
// convert a model. Limits are not looked at.
struct HullStep {
  std::size_t unit = 0, pick = 0;
  Values totals = {};  // behind it
};
struct HullPath {
  std::vector<std::size_t> start;
  Values totals = {};
  std::vector<HullStep> steps;
};
HullPath hull_path(const Problem& problem, Measure cost);

}  // namespace farthing::tune
