#include "formats/codebook.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "formats/lanes.h"
#include "formats/rounding.h"

namespace farthing {
namespace {

using lanes::F4;
using lanes::I4;

struct Fit {
  double error = 0, clx = 0, cll = 0;  // c importance, l level, x weight
};

class Group {
 public:
  Group(const Levels& levels, std::span<const float> weights, std::span<const float> importance)
      : levels_(levels), x_((weights.size() + 3) / 4 * 4), c_(x_.size()) {
    double sum = 0;
    for (const float c : importance) sum += static_cast<double>(c);
    const bool weighted = sum > 0 && std::isfinite(sum);
    const auto unit = static_cast<float>(static_cast<double>(weights.size()) / sum);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      x_[i] = weights[i];
      c_[i] = weighted ? importance[i] * unit : 1.0f;
    }
    for (std::size_t i = 0; i < middles_.size(); ++i)
      middles_[i] = 0.5f * (levels[i] + levels[i + 1]);
  }

  I4 codes(F4 x) const {
    I4 codes{};
    for (const float middle : middles_) codes -= x > lanes::splat(middle);
    return codes;
  }

  Fit fit(float scale) const {
    const float inverse = 1.0f / scale;
    F4 squares{}, clx{}, cll{};
    for (std::size_t i = 0; i < x_.size(); i += 4) {
      const F4 x = lanes::load4(&x_[i]), c = lanes::load4(&c_[i]);
      const I4 k = codes(x * inverse);
      const F4 l = {level(k[0]), level(k[1]), level(k[2]), level(k[3])};
      const F4 wrong = x - scale * l;
      squares += c * wrong * wrong;
      clx += c * l * x;
      cll += c * l * l;
    }
    return {lanes::sum4(squares), lanes::sum4(clx), lanes::sum4(cll)};
  }

  void write_codes(float scale, std::span<std::uint8_t> to) const {
    const float inverse = 1.0f / scale;
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i] = static_cast<std::uint8_t>(codes(lanes::splat(x_[i] * inverse))[0]);
  }

 private:
  float level(std::int32_t code) const { return levels_[static_cast<std::size_t>(code)]; }

  const Levels& levels_;
  std::vector<float> x_, c_;  // padded with weights of no importance
  std::array<float, 15> middles_;
};

// The best of a raster of scales around `full`, and of the least-squares scale for its codes.
float search(const Group& group, float full, RoundMethod method, ScaleType type) {
  float best = round_scale(full, type);
  Fit least = group.fit(best);
  const auto consider = [&](float scale) {
    const float rounded = round_scale(scale, type);
    if (!(rounded > 0) || !std::isfinite(rounded)) return;
    const Fit fit = group.fit(rounded);
    if (!(fit.error < least.error)) return;
    least = fit;
    best = rounded;
  };
  for (int i = 0; i < 24; ++i) consider(full * (1.1f - 0.025f * static_cast<float>(i)));
  if (method == RoundMethod::kScaleSearch)
    for (int i = 0; i < 2 && least.cll > 0; ++i)
      consider(static_cast<float>(least.clx / least.cll));
  return best;
}

}  // namespace

float round_to_levels(const Levels& levels, std::span<const float> weights,
                      std::span<const float> importance, RoundMethod method, ScaleType type,
                      std::span<std::uint8_t> codes) {
  if (method == RoundMethod::kHqq)
    usage_error("HQQ looks for zero points and codebook formats have none: use another method");
  const Group group(levels, weights, importance);
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  float scale = 1.0f;
  if (largest > 0) {
    const float full = largest / std::max(-levels.front(), levels.back());
    scale = round_scale(full, type);
    if (!std::isfinite(scale)) return scale;
    if (method != RoundMethod::kMinMax && largest > 1e-15f && largest < 1e15f)
      scale = search(group, full, method, type);
  }
  group.write_codes(scale, codes);
  return scale;
}

}  // namespace farthing
