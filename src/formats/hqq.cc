// Half-quadratic quantisation (Badri and Shaji, 2023; algorithms.md 1.2): the scale is that of
// min-max, the zero point minimises the sum of |error|^0.7, which few large errors hardly move.
#include <cmath>

#include "formats/lanes.h"
#include "formats/rounding.h"

namespace farthing {

using lanes::F4;
using lanes::splat;

namespace {

constexpr float kPower = 0.7f;
constexpr float kGrowth = 1.01f;
constexpr int kRounds = 20;
constexpr double kPlateau = 1.00001;

// The proximal step of |e|^p: soft thresholding whose threshold falls with the size of e.
F4 soften(F4 e, float beta) {
  const F4 size = lanes::abs4(e);
  const F4 kept = lanes::max4(size - lanes::power4(size, kPower - 1.0f) / beta, F4{});
  return e < F4{} ? -kept : kept;
}

}  // namespace

GroupGrid GroupRounder::half_quadratic() const {
  const GroupGrid start = plain();
  const float inverse = 1.0f / start.scale;
  float zero = start.zero, best = zero, beta = 10.0f;
  double least = HUGE_VAL;
  for (int round = 0; round < kRounds; ++round, beta *= kGrowth) {
    F4 moved{}, wrong{};
    for (std::int64_t i = 0; i < padded_; i += 4) {
      const F4 x = lanes::load4(&x_[static_cast<std::size_t>(i)]);
      const F4 code = lanes::round4(
          lanes::min4(lanes::max4(x * inverse + zero, splat(lowest_)), splat(highest_)));
      const F4 error = x - (code - zero) * start.scale;
      const F4 target = code - (x - soften(error, beta)) * inverse;
      for (std::int64_t j = 0; j < 4 && i + j < size_; ++j) {
        moved[j] += target[j];
        wrong[j] += std::abs(error[j]);
      }
    }
    const double now = lanes::sum4(wrong);
    // The error stands still while as many weights lie above their level as below: go on there, and
    // do not let the last bits of a sum decide.
    if (!(now <= least * kPlateau)) break;
    least = now;
    best = zero;
    zero = static_cast<float>(lanes::sum4(moved) / static_cast<double>(size_));
  }
  return {start.scale, round_zero(best, scheme_)};
}

}  // namespace farthing
