// The searches over scales and zero points. Each starts from the plain grid and takes another only
// where it is better, so none is worse than min-max by its own measure.
#include <algorithm>
#include <array>
#include <cmath>

#include "formats/lanes.h"
#include "formats/rounding.h"

namespace farthing {

// Shrinks the range as GPTQ's `mse` option does: 80 steps of 1 %, errors to the power of 2.4.
GroupGrid GroupRounder::shrink() const {
  constexpr float kPower = 2.4f;
  GroupGrid best = plain();
  double least = error_to_the(kPower, best);
  for (int step = 1; step < 80; ++step) {
    const float kept = 1.0f - 0.01f * static_cast<float>(step);
    const GroupGrid grid = grid_of_range(low_ * kept, high_ * kept);
    const double error = error_to_the(kPower, grid);
    if (error < least) {
      least = error;
      best = grid;
    }
    if (error > 8 * least) break;  // nearly everything clips: further on it only grows
  }
  return best;
}

// Keeps the candidates of most merit, best first.
void GroupRounder::consider(float inverse, float zero, std::span<Candidate> best) const {
  Candidate candidate{inverse, zero, merit(sums(inverse, zero))};
  for (Candidate& kept : best)
    if (candidate.merit > kept.merit) std::swap(candidate, kept);
}

// The largest weight v is put at f * 2^(bits-1) steps from zero: f < 1 leaves codes unused, f > 1
// clips. At 8 bits both sides are equally long, below the sign of the scale matters.
void GroupRounder::consider_symmetric(std::span<Candidate> best) const {
  const float longest = -low_ > high_ ? low_ : high_;
  const float half = scheme_.bits == 8 ? 127.0f : middle_;
  const float first = 1.0f - (scheme_.bits <= 4 ? 1.2f : 1.05f) / half;
  const int steps = scheme_.bits <= 4 ? 40 : 24;
  const float last = scheme_.bits <= 4 ? 1.8f : 1.5f;
  for (int i = 0; i < steps; ++i) {
    const float f = first + (last - first) * static_cast<float>(i) / static_cast<float>(steps - 1);
    const float inverse = f * half / -longest;
    consider(inverse, middle_, best);
    if (scheme_.bits < 8) consider(-inverse, middle_, best);
  }
}

// The range is narrowed from above, from below and from both ends.
void GroupRounder::consider_asymmetric(std::span<Candidate> best) const {
  const bool floating = scheme_.zero_point == ZeroPoint::kFloat;
  const float low = floating ? low_ : std::min(low_, 0.0f);
  const float high = floating ? high_ : std::max(high_, 0.0f);
  const float range = high - low;
  if (!(range > 1e-6f * std::max(-low, high))) return;
  const int steps = scheme_.bits <= 4 ? 26 : 16;
  const float last = scheme_.bits <= 4 ? 1.8f : 1.4f;
  const float first = 1.0f - 0.9f / highest_;
  for (int i = 0; i < steps; ++i) {
    const float f = first + (last - first) * static_cast<float>(i) / static_cast<float>(steps - 1);
    const float inverse = f * highest_ / range;
    const float from_low = -low * inverse, from_high = highest_ - high * inverse;
    for (const float zero : {from_low, from_high, 0.5f * (from_low + from_high)})
      consider(inverse, floating ? zero : round_zero(zero, scheme_), best);
  }
}

// Coarse: candidates are compared by what a free scale would make of their codes. Fine: the best of
// them alternate between the least-squares grid of the codes, rounded as it will be stored, and the
// codes of that grid.
GroupGrid GroupRounder::search() const {
  Sums s;
  GroupGrid best = plain();
  double least = error(best, &s);
  std::array<Candidate, 3> candidates;
  candidates.fill({0, 0, -1});
  if (scheme_.symmetric)
    consider_symmetric(candidates);
  else
    consider_asymmetric(candidates);
  for (const Candidate& candidate : candidates) {
    if (candidate.merit < 0) continue;
    s = sums(candidate.inverse, candidate.zero);
    double before = HUGE_VAL;
    for (int i = 0; i < 4; ++i) {
      const GroupGrid grid = least_squares(s, candidate.zero);
      if (grid.scale == 0 || !std::isfinite(grid.scale) || !std::isfinite(grid.zero)) break;
      const double now = error(grid, &s);
      if (now < least) {
        least = now;
        best = grid;
      }
      if (!(now < before)) break;
      before = now;
    }
  }
  return best;
}

}  // namespace farthing
