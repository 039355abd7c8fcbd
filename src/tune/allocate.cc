#include "tune/allocate.h"

#include <algorithm>
#include <cmath>

namespace farthing::tune {
namespace {

constexpr double kSlack = 1e-12;  // of sums of doubles, relative

std::vector<Measure> bounded(const Problem& problem) {
  std::vector<Measure> all;
  for (std::size_t m = 0; m < kMeasures; ++m)
    if (problem.limits[m] < kNoLimit && static_cast<Measure>(m) != problem.objective)
      all.push_back(static_cast<Measure>(m));
  return all;
}

// How far beyond the limits, relatively: 0 within.
double excess(const Values& totals, const Values& limits) {
  double worst = 0;
  for (std::size_t m = 0; m < kMeasures; ++m)
    if (totals[m] > limits[m])
      worst = std::max(worst, (totals[m] - limits[m]) / std::max(std::abs(limits[m]), 1e-300));
  return worst;
}

void add(Values& to, const Values& values) {
  for (std::size_t m = 0; m < kMeasures; ++m) to[m] += values[m];
}

// The best assignment so far.
class Incumbent {
 public:
  explicit Incumbent(const Problem& problem) : problem_(problem) {}
  void offer(const std::vector<std::size_t>& picks) {
    const Values totals = totals_of(problem_, picks);
    const bool feasible = within(totals, problem_.limits);
    const double value =
        feasible ? tune::at(totals, problem_.objective) : excess(totals, problem_.limits);
    if (!best_.picks.empty() &&
        (best_.feasible > feasible || (best_.feasible == feasible && value >= value_)))
      return;
    value_ = value;
    best_.picks = picks;
    best_.totals = totals;
    best_.feasible = feasible;
  }
  bool feasible() const { return best_.feasible; }
  double objective() const { return best_.feasible ? value_ : kNoLimit; }
  const Assignment& best() const { return best_; }

 private:
  const Problem& problem_;
  Assignment best_;
  double value_ = kNoLimit;
};

using Weights = Values;  // multipliers of the bounded measures; 0 elsewhere

double priced(const Problem& problem, const Weights& weights, const Values& values) {
  double sum = at(values, problem.objective);
  for (std::size_t m = 0; m < kMeasures; ++m)
    if (weights[m] > 0) sum += weights[m] * values[m];
  return sum;
}

std::vector<std::size_t> cheapest(const Problem& problem, const Weights& weights) {
  std::vector<std::size_t> picks;
  for (const auto& options : problem.units) {
    std::size_t best = 0;
    for (std::size_t o = 1; o < options.size(); ++o)
      if (priced(problem, weights, options[o]) < priced(problem, weights, options[best])) best = o;
    picks.push_back(best);
  }
  return picks;
}

struct Dual {
  Weights weights = {};
  double bound = -kNoLimit;
};

// The multipliers that give the highest bound: with one limit by bisection, with more by steps
// along the relative excess that grow shorter.
Dual solve_dual(const Problem& problem, Incumbent& incumbent) {
  const std::vector<Measure> limits = bounded(problem);
  Dual best;
  const auto visit = [&](const Weights& weights) {
    const auto picks = cheapest(problem, weights);
    incumbent.offer(picks);
    const Values totals = totals_of(problem, picks);
    double bound = priced(problem, weights, totals);
    for (const Measure m : limits) bound -= at(weights, m) * at(problem.limits, m);
    if (bound > best.bound) best = {weights, bound};
    return totals;
  };
  const Values free = visit({});
  if (limits.empty()) return best;
  const auto scale = [&](Measure m) {
    const double unit = std::max(at(problem.limits, m), 1e-300);
    return std::max(at(free, problem.objective), 1e-300) / unit;
  };
  if (limits.size() == 1) {
    double low = -46, high = 46;  // of the logarithm, in units of the problem: e^46 = 10^20
    for (int i = 0; i < 90; ++i) {
      Weights weights = {};
      at(weights, limits[0]) = scale(limits[0]) * std::exp((low + high) / 2);
      const Values totals = visit(weights);
      (at(totals, limits[0]) > at(problem.limits, limits[0]) ? low : high) = (low + high) / 2;
    }
    return best;
  }
  std::vector<double> logs(limits.size(), 0.0);
  for (int i = 0; i < 600; ++i) {
    Weights weights = {};
    for (std::size_t k = 0; k < limits.size(); ++k)
      at(weights, limits[k]) = scale(limits[k]) * std::exp(logs[k]);
    const Values totals = visit(weights);
    const double step = 8.0 / (1 + i / 20.0);
    for (std::size_t k = 0; k < limits.size(); ++k) {
      const double over = at(totals, limits[k]) / std::max(at(problem.limits, limits[k]), 1e-300);
      logs[k] = std::clamp(logs[k] + step * std::clamp(over - 1, -1.0, 1.0), -46.0, 46.0);
    }
  }
  return best;
}

// Changes of one unit, and of two together, as long as they gain.
void polish(const Problem& problem, Incumbent& incumbent) {
  if (incumbent.best().picks.empty()) return;
  constexpr int kPasses = 6;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::vector<std::size_t> picks = incumbent.best().picks;
    Values totals = incumbent.best().totals;
    bool improved = false;
    const auto better = [&](const Values& next) {
      return within(next, problem.limits) &&
             (!within(totals, problem.limits) ||
              at(next, problem.objective) < at(totals, problem.objective) * (1 - kSlack));
    };
    const auto changed = [&](const Values& from, std::size_t u, std::size_t o) {
      Values next = from;
      for (std::size_t m = 0; m < kMeasures; ++m)
        next[m] += problem.units[u][o][m] - problem.units[u][picks[u]][m];
      return next;
    };
    for (std::size_t u = 0; u < picks.size(); ++u)
      for (std::size_t o = 0; o < problem.units[u].size(); ++o) {
        if (o == picks[u]) continue;
        const Values one = changed(totals, u, o);
        if (better(one)) {
          picks[u] = o, totals = one, improved = true;
          continue;
        }
        for (std::size_t v = u + 1; v < picks.size(); ++v)
          for (std::size_t p = 0; p < problem.units[v].size(); ++p) {
            if (p == picks[v] || o == picks[u]) continue;
            const Values two = changed(one, v, p);
            if (!better(two)) continue;
            picks[u] = o, picks[v] = p, totals = two, improved = true;
          }
      }
    incumbent.offer(picks);
    if (!improved) return;
  }
}

// The dynamic programme: partial sums over the first units.
class Programme {
 public:
  Programme(const Problem& problem, const Dual& dual, std::size_t most_states, Incumbent& incumbent)
      : problem_(problem),
        dual_(dual),
        limits_(bounded(problem)),
        most_states_(most_states),
        incumbent_(incumbent) {
    const std::size_t count = problem.units.size();
    least_.resize(count + 1, Values{});
    priced_.resize(count + 1, 0.0);
    for (std::size_t u = count; u-- > 0;) {
      least_[u] = least_[u + 1];
      double cheapest = kNoLimit;
      Values least;
      least.fill(kNoLimit);
      for (const Values& option : problem.units[u]) {
        cheapest = std::min(cheapest, priced(problem, dual.weights, option));
        for (std::size_t m = 0; m < kMeasures; ++m) least[m] = std::min(least[m], option[m]);
      }
      add(least_[u], least);
      priced_[u] = priced_[u + 1] + cheapest;
    }
    for (const Measure m : limits_) paid_ += at(dual.weights, m) * at(problem.limits, m);
  }

  // True when no partial sum that could have won was left out.
  bool run() {
    std::vector<std::vector<State>> levels(1);
    levels[0].push_back({});
    for (std::size_t u = 0; u < problem_.units.size(); ++u) {
      std::vector<State> next;
      for (std::size_t s = 0; s < levels[u].size(); ++s)
        for (std::size_t o = 0; o < problem_.units[u].size(); ++o) {
          State state = levels[u][s];
          add(state.sums, problem_.units[u][o]);
          state.parent = static_cast<std::uint32_t>(s);
          state.pick = static_cast<std::uint32_t>(o);
          if (is_alive(state, u + 1)) next.push_back(state);
        }
      drop_dominated(next);
      thin_out(next, u + 1);
      levels.push_back(std::move(next));
      if (levels.back().empty()) return exact_;
    }
    for (std::size_t s = 0; s < levels.back().size(); ++s) incumbent_.offer(picks_of(levels, s));
    return exact_;
  }

 private:
  struct State {
    Values sums = {};
    std::uint32_t parent = 0, pick = 0;
  };

  double bound(const State& state, std::size_t done) const {
    return priced(problem_, dual_.weights, state.sums) + priced_[done] - paid_;
  }
  bool is_alive(const State& state, std::size_t done) const {
    for (const Measure m : limits_) {
      const double limit = at(problem_.limits, m);
      if (at(state.sums, m) + at(least_[done], m) > limit + std::abs(limit) * kSlack) return false;
    }
    return bound(state, done) < incumbent_.objective();
  }

  // What costs no less and is no better in any limited measure than another one.
  void drop_dominated(std::vector<State>& states) const {
    std::ranges::sort(states, [&](const State& a, const State& b) {
      if (at(a.sums, problem_.objective) != at(b.sums, problem_.objective))
        return at(a.sums, problem_.objective) < at(b.sums, problem_.objective);
      return !limits_.empty() && at(a.sums, limits_[0]) < at(b.sums, limits_[0]);
    });
    constexpr std::size_t kCompared = 64;  // with more limits than one, the nearest suffice
    std::vector<State> kept;
    for (const State& state : states) {
      const std::size_t first = limits_.size() <= 1
                                    ? (kept.empty() ? 0 : kept.size() - 1)
                                    : kept.size() - std::min(kept.size(), kCompared);
      const bool dominated = std::any_of(
          kept.begin() + static_cast<std::ptrdiff_t>(first), kept.end(), [&](const State& other) {
            return std::ranges::all_of(
                limits_, [&](Measure m) { return at(other.sums, m) <= at(state.sums, m); });
          });
      if (!dominated) kept.push_back(state);
    }
    states = std::move(kept);
  }

  void thin_out(std::vector<State>& states, std::size_t done) {
    if (states.size() <= most_states_) return;
    exact_ = false;
    const auto middle = states.begin() + static_cast<std::ptrdiff_t>(most_states_);
    std::ranges::nth_element(states, middle, [&](const State& a, const State& b) {
      return bound(a, done) < bound(b, done);
    });
    states.erase(middle, states.end());
  }

  std::vector<std::size_t> picks_of(const std::vector<std::vector<State>>& levels,
                                    std::size_t s) const {
    std::vector<std::size_t> picks(problem_.units.size());
    for (std::size_t u = problem_.units.size(); u-- > 0;) {
      const State& state = levels[u + 1][s];
      picks[u] = state.pick;
      s = state.parent;
    }
    return picks;
  }

  const Problem& problem_;
  const Dual& dual_;
  std::vector<Measure> limits_;
  std::size_t most_states_;
  Incumbent& incumbent_;
  std::vector<Values> least_;   // of the units from u on, each measure by itself
  std::vector<double> priced_;  // of the units from u on, at the multipliers' prices
  double paid_ = 0;
  bool exact_ = true;
};

}  // namespace

Values totals_of(const Problem& problem, const std::vector<std::size_t>& picks) {
  Values totals = {};
  for (std::size_t u = 0; u < picks.size(); ++u) add(totals, problem.units[u][picks[u]]);
  return totals;
}

bool within(const Values& totals, const Values& limits) {
  for (std::size_t m = 0; m < kMeasures; ++m)
    if (totals[m] > limits[m] + std::abs(limits[m]) * kSlack) return false;
  return true;
}

Assignment allocate(const Problem& problem, std::size_t most_states) {
  Incumbent incumbent(problem);
  const Dual dual = solve_dual(problem, incumbent);
  polish(problem, incumbent);
  const bool exact = Programme(problem, dual, most_states, incumbent).run();
  if (!exact) polish(problem, incumbent);
  Assignment best = incumbent.best();
  best.bound = exact && best.feasible ? at(best.totals, problem.objective) : dual.bound;
  return best;
}

HullPath hull_path(const Problem& problem, Measure cost) {
  struct Segment {
    std::size_t unit, pick, order;
    double slope;  // loss for the cost saved
  };
  HullPath path;
  std::vector<Segment> segments;
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const auto& options = problem.units[u];
    std::size_t at_pick = 0;
    for (std::size_t o = 1; o < options.size(); ++o) {
      const double loss = at(options[o], Measure::kLoss),
                   best = at(options[at_pick], Measure::kLoss);
      if (loss < best || (loss == best && at(options[o], cost) < at(options[at_pick], cost)))
        at_pick = o;
    }
    path.start.push_back(at_pick);
    // Along the lower hull: from each corner to the next with the least loss for the cost saved.
    for (std::size_t order = 0;; ++order) {
      std::size_t next = options.size();
      double slope = kNoLimit;
      for (std::size_t o = 0; o < options.size(); ++o) {
        const double saved = at(options[at_pick], cost) - at(options[o], cost);
        if (saved <= 0) continue;
        const double lost = at(options[o], Measure::kLoss) - at(options[at_pick], Measure::kLoss);
        const bool further = next < options.size() && lost / saved == slope &&
                             at(options[o], cost) < at(options[next], cost);
        if (lost / saved < slope || further) next = o, slope = lost / saved;
      }
      if (next == options.size()) break;
      segments.push_back({u, next, order, slope});
      at_pick = next;
    }
  }
  std::ranges::stable_sort(segments, {}, &Segment::slope);
  path.totals = totals_of(problem, path.start);
  std::vector<std::size_t> picks = path.start;
  for (const Segment& segment : segments) {
    picks[segment.unit] = segment.pick;
    path.steps.push_back({segment.unit, segment.pick, totals_of(problem, picks)});
  }
  return path;
}

}  // namespace farthing::tune
