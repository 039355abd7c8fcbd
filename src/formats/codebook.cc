#include "formats/codebook.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "formats/rounding.h"

namespace farthing {
namespace {

struct Fit {
  double error = 0, clx = 0, cll = 0;  // c importance, l level, x weight
};

class Group {
 public:
  Group(const Levels& levels, std::span<const float> weights, std::span<const float> importance)
      : levels_(levels), weights_(weights), importance_(importance) {
    double sum = 0;
    for (const float c : importance) sum += static_cast<double>(c);
    if (!(sum > 0) || !std::isfinite(sum)) importance_ = {};
    for (std::size_t i = 0; i < middles_.size(); ++i)
      middles_[i] = 0.5f * (levels[i] + levels[i + 1]);
  }

  std::uint8_t code(float x) const {
    int code = 0;
    for (const float middle : middles_) code += x > middle;
    return static_cast<std::uint8_t>(code);
  }

  Fit fit(float scale) const {
    const float inverse = 1.0f / scale;
    Fit fit;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const double x = static_cast<double>(weights_[i]);
      const double l = static_cast<double>(levels_[code(weights_[i] * inverse)]);
      const double c = importance_.empty() ? 1.0 : static_cast<double>(importance_[i]);
      const double wrong = x - static_cast<double>(scale) * l;
      fit.error += c * wrong * wrong;
      fit.clx += c * l * x;
      fit.cll += c * l * l;
    }
    return fit;
  }

 private:
  const Levels& levels_;
  std::span<const float> weights_, importance_;
  std::array<float, 15> middles_;
};

}  // namespace

std::uint8_t nearest_level(const Levels& levels, float x) { return Group(levels, {}, {}).code(x); }

float round_to_levels(const Levels& levels, std::span<const float> weights,
                      std::span<const float> importance, RoundMethod method, ScaleType type,
                      std::span<std::uint8_t> codes) {
  if (method == RoundMethod::kHqq)
    usage_error("HQQ looks for zero points and codebook formats have none: use another method");
  const Group group(levels, weights, importance);
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  float best = 1.0f;
  if (largest > 0) {
    const float full = largest / std::max(-levels.front(), levels.back());
    best = round_scale(full, type);
    if (!std::isfinite(best)) return best;
    if (method != RoundMethod::kMinMax && largest > 1e-15f && largest < 1e15f) {
      double least = group.fit(best).error;
      for (int i = 0; i < 24; ++i) {
        float scale = round_scale(full * (1.1f - 0.025f * static_cast<float>(i)), type);
        for (int again = 0; again < 2 && scale > 0; ++again) {
          const Fit fit = group.fit(scale);
          if (fit.error < least) {
            least = fit.error;
            best = scale;
          }
          if (method != RoundMethod::kScaleSearch || !(fit.cll > 0)) break;
          scale = round_scale(static_cast<float>(fit.clx / fit.cll), type);
        }
      }
    }
  }
  const float inverse = 1.0f / best;
  for (std::size_t i = 0; i < weights.size(); ++i) codes[i] = group.code(weights[i] * inverse);
  return best;
}

}  // namespace farthing
