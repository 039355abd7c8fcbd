#include "formats/gguf_super.h"

#include <algorithm>
#include <cmath>

#include "formats/rounding.h"
#include "tensor/float16.h"

namespace farthing {
namespace {

constexpr int kInputs = 256;

class Rounder {
 public:
  Rounder(const SuperShape& shape, RoundMethod method, const float* weights,
          const float* importance)
      : shape_(shape), method_(method), x_(weights), c_(importance) {}

  SuperBlock round() {
    float scales[16], minima[16];
    round_groups(scales, minima);
    SuperBlock block;
    block.d = factor(scales, shape_.lowest_scale, shape_.highest_scale);
    if (shape_.highest_minimum > 0) block.dmin = factor(minima, 0, shape_.highest_minimum);
    if (!std::isfinite(block.d) || !std::isfinite(block.dmin)) return block;
    double error = 0;
    for (int g = 0; g < groups(); ++g) {
      block.scales[g] = level(scales[g], block.d, shape_.lowest_scale, shape_.highest_scale);
      block.minima[g] = level(minima[g], block.dmin, 0, shape_.highest_minimum);
      error += choose_levels(block, g);
    }
    if (method_ != RoundMethod::kMinMax) refit(block, error);
    for (int i = 0; i < kInputs; ++i) block.codes[i] = code(block, i);
    return block;
  }

 private:
  int groups() const { return kInputs / shape_.group; }
  float bias() const {
    return shape_.highest_minimum > 0 ? 0.0f : static_cast<float>(1 << (shape_.bits - 1));
  }
  double importance(int i) const { return c_ == nullptr ? 1.0 : static_cast<double>(c_[i]); }

  void round_groups(float* scales, float* minima) const {
    WeightScheme scheme;
    scheme.element = Element::kInt;
    scheme.bits = shape_.bits;
    scheme.scale = ScaleType::kF32;
    scheme.symmetric = shape_.highest_minimum == 0;
    if (!scheme.symmetric) scheme.zero_point = ZeroPoint::kFloat;
    GroupRounder rounder(scheme, method_, shape_.group);
    std::uint8_t codes[32];
    const auto size = static_cast<std::size_t>(shape_.group);
    for (int g = 0; g < groups(); ++g) {
      const float* weights = x_ + g * shape_.group;
      const std::span<const float> by =
          c_ == nullptr ? std::span<const float>() : std::span(c_ + g * shape_.group, size);
      const GroupGrid grid = rounder.round({weights, size}, by, {codes, size});
      scales[g] = grid.scale;
      minima[g] = scheme.symmetric ? 0.0f : grid.scale * grid.zero;
      const auto [low, high] = std::minmax_element(weights, weights + size);
      if (*low == 0 && *high == 0) scales[g] = minima[g] = 0;
      // Scale and minimum are stored without a sign: a group of positive weights starts at zero.
      if (!scheme.symmetric && !(minima[g] >= 0 && scales[g] >= 0)) {
        minima[g] = 0;
        scales[g] = std::max(*high, 0.0f) / static_cast<float>((1 << shape_.bits) - 1);
      }
    }
  }

  // The factor that reaches the largest of the numbers; where levels have a sign the largest takes
  // the longer side.
  float factor(const float* numbers, int lowest, int highest) const {
    float largest = 0;
    for (int g = 0; g < groups(); ++g)
      if (std::abs(numbers[g]) > std::abs(largest)) largest = numbers[g];
    if (largest == 0) return 0;
    return round_scale(largest / static_cast<float>(lowest < 0 ? lowest : highest),
                       ScaleType::kF16);
  }

  static int level(float number, float factor, int lowest, int highest) {
    if (factor == 0) return 0;
    return static_cast<int>(std::clamp(std::nearbyint(number / factor), static_cast<float>(lowest),
                                       static_cast<float>(highest)));
  }

  // What the reader computes, exactly.
  std::uint8_t code(const SuperBlock& block, int i) const {
    const int g = i / shape_.group;
    const float scale = block.d * static_cast<float>(block.scales[g]);
    if (scale == 0) return static_cast<std::uint8_t>(bias());
    const float offset = block.dmin * static_cast<float>(block.minima[g]);
    const float top = static_cast<float>((1 << shape_.bits) - 1);
    return static_cast<std::uint8_t>(
        std::clamp(std::nearbyint((x_[i] + offset) / scale + bias()), 0.0f, top));
  }

  double error_of(const SuperBlock& block, int g) const {
    const float scale = block.d * static_cast<float>(block.scales[g]);
    const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
    const float offset = block.dmin * static_cast<float>(block.minima[g]);
    const float top = static_cast<float>((1 << shape_.bits) - 1), zero = bias();
    double error = 0;
    for (int i = g * shape_.group; i < (g + 1) * shape_.group; ++i) {
      const float code = std::clamp(std::nearbyint((x_[i] + offset) * inverse + zero), 0.0f, top);
      const auto wrong = static_cast<double>(x_[i] - (scale * (code - zero) - offset));
      error += importance(i) * wrong * wrong;
    }
    return error;
  }

  // Replaces a group's levels by the best of their neighbours.
  double choose_levels(SuperBlock& block, int g) const {
    double least = error_of(block, g);
    if (method_ == RoundMethod::kMinMax) return least;
    const int scale = block.scales[g], minimum = block.minima[g];
    int best_scale = scale, best_minimum = minimum;
    const int reach = shape_.highest_minimum > 0 ? 1 : 0;
    for (int s = std::max(scale - 1, shape_.lowest_scale);
         s <= std::min(scale + 1, shape_.highest_scale); ++s)
      for (int m = std::max(minimum - reach, 0);
           m <= std::min(minimum + reach, shape_.highest_minimum); ++m) {
        block.scales[g] = s;
        block.minima[g] = m;
        const double error = error_of(block, g);
        if (!(error < least)) continue;
        least = error;
        best_scale = s;
        best_minimum = m;
      }
    block.scales[g] = best_scale;
    block.minima[g] = best_minimum;
    return least;
  }

  // Least squares for d and dmin with the codes held, kept when the codes that follow are better.
  void refit(SuperBlock& block, double error) const {
    double ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;
    for (int i = 0; i < kInputs; ++i) {
      const int g = i / shape_.group;
      const double s = block.scales[g] * static_cast<double>(code(block, i) - bias());
      const double m = -block.minima[g], x = static_cast<double>(x_[i]), c = importance(i);
      ss += c * s * s;
      sm += c * s * m;
      mm += c * m * m;
      sx += c * s * x;
      mx += c * m * x;
    }
    const double spread = ss * mm - sm * sm;
    SuperBlock fitted = block;
    if (mm > 0 && spread > 1e-9 * ss * mm) {
      fitted.d = round_scale(static_cast<float>((sx * mm - mx * sm) / spread), ScaleType::kF16);
      fitted.dmin = round_scale(static_cast<float>((mx * ss - sx * sm) / spread), ScaleType::kF16);
    } else if (ss > 0) {
      fitted.d = round_scale(static_cast<float>(sx / ss), ScaleType::kF16);
    }
    if (!std::isfinite(fitted.d) || !std::isfinite(fitted.dmin)) return;
    double now = 0;
    for (int g = 0; g < groups(); ++g) now += choose_levels(fitted, g);
    if (now < error) block = fitted;
  }

  const SuperShape& shape_;
  RoundMethod method_;
  const float* x_;
  const float* c_;
};

}  // namespace

SuperBlock round_super_block(const SuperShape& shape, RoundMethod method, const float* weights,
                             const float* importance) {
  return Rounder(shape, method, weights, importance).round();
}

}  // namespace farthing
