// Rounding one group of weights onto the uniform grid of a scheme (algorithms.md 0.2, 1.1, 1.2):
// weight = scale * (code - zero), codes 0 .. 2^bits - 1. Symmetric grids have zero = 2^(bits-1),
// and a scale of either sign below 8 bits, which lets the largest weight sit on the longer side.
#pragma once

#include <span>
#include <vector>

#include "formats/format.h"

namespace farthing {

// The nearest number of the type. FP16 subnormals round away from zero, so that tiny groups are not
// clipped; nothing becomes zero but zero. FP32 scales are kept to 16 significant bits, which makes
// scale * integer exact in FP32. Infinite when beyond the type's range.
float round_scale(float scale, ScaleType type);
// Integer zero points: the nearest of 0 .. 2^bits - 1. Float ones: the nearest of the scale type.
float round_zero(float zero, const WeightScheme& scheme);

struct GroupGrid {
  float scale = 1.0f;  // infinite when no scale of the type reaches the weights
  float zero = 0.0f;
};

// Holds the scratch of one thread. The result depends on its arguments alone.
class GroupRounder {
 public:
  // Error: usage, when the method cannot serve the scheme (HQQ without a zero point).
  GroupRounder(const WeightScheme& scheme, RoundMethod method, std::int64_t largest_group);

  // weights (n) finite; importance (n) or empty; codes (n) written.
  GroupGrid round(std::span<const float> weights, std::span<const float> importance,
                  std::span<std::uint8_t> codes);

 private:
  // What one pass over the group with scale 1 / inverse finds. For integer zeros l = code - zero,
  // for float zeros l = code - middle of the grid; x are weights, c their importance.
  struct Sums {
    double cl = 0, cll = 0, clx = 0;
  };
  struct Candidate {
    float inverse, zero;
    double merit;  // how much of the weighted square of x a free scale explains
  };

  void load(std::span<const float> weights, std::span<const float> importance);
  bool searchable() const;
  GroupGrid grid_of_range(float low, float high) const;
  GroupGrid plain() const;
  GroupGrid shrink() const;
  GroupGrid search() const;
  GroupGrid half_quadratic() const;

  Sums sums(float inverse, float zero) const;
  double merit(const Sums& s) const;
  GroupGrid least_squares(const Sums& s, float zero) const;
  double error(GroupGrid grid, Sums* sums) const;
  double error_to_the(float power, GroupGrid grid) const;
  void consider(float inverse, float zero, std::span<Candidate> best) const;
  void consider_symmetric(std::span<Candidate> best) const;
  void consider_asymmetric(std::span<Candidate> best) const;
  void write_codes(GroupGrid grid, std::span<std::uint8_t> codes) const;

  WeightScheme scheme_;
  RoundMethod method_;
  float lowest_, highest_, middle_;  // codes
  std::int64_t size_ = 0, padded_ = 0;
  float low_ = 0, high_ = 0;  // of the weights
  double sum_c_ = 0, sum_cx_ = 0;
  std::vector<float> x_, c_, cx_;
};

}  // namespace farthing
