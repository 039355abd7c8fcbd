#include "formats/rounding.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "formats/lanes.h"
#include "tensor/float16.h"

namespace farthing {

using lanes::F4;
using lanes::splat;

float round_scale(float scale, ScaleType type) {
  if (type == ScaleType::kF16) {
    float rounded = to_float(to_fp16(scale));
    if (std::abs(scale) < 0x1p-14f && std::abs(rounded) < std::abs(scale))
      rounded += std::copysign(0x1p-24f, scale);
    return rounded;
  }
  if (type == ScaleType::kBf16) {
    if (std::abs(scale) < 0x1p-126f) return scale == 0 ? scale : std::copysign(0x1p-126f, scale);
    return to_float(to_bf16(scale));
  }
  if (std::abs(scale) < 0x1p-110f) return scale == 0 ? scale : std::copysign(0x1p-110f, scale);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scale);
  return std::bit_cast<float>((bits + 0x7Fu + (bits >> 8 & 1u)) & ~0xFFu);
}

float round_zero(float zero, const WeightScheme& scheme) {
  if (scheme.zero_point == ZeroPoint::kFloat) {
    if (scheme.scale == ScaleType::kF16) return to_float(to_fp16(zero));
    return scheme.scale == ScaleType::kBf16 ? to_float(to_bf16(zero)) : zero;
  }
  return std::clamp(std::nearbyint(zero), 0.0f, static_cast<float>((1 << scheme.bits) - 1));
}

GroupRounder::GroupRounder(const WeightScheme& scheme, RoundMethod method,
                           std::int64_t largest_group)
    : scheme_(scheme), method_(method) {
  if (method == RoundMethod::kHqq && scheme.symmetric)
    usage_error("HQQ looks for zero points and scheme {} has none: use {}-asym, or another method",
                scheme_name(scheme), scheme_name(scheme));
  middle_ = static_cast<float>(1 << (scheme.bits - 1));
  lowest_ = scheme.symmetric && scheme.bits == 8 ? 1.0f : 0.0f;
  highest_ = 2 * middle_ - 1;
  const auto padded =
      static_cast<std::size_t>((largest_group + lanes::kStep - 1) / lanes::kStep * lanes::kStep);
  x_.resize(padded);
  c_.resize(padded);
  cx_.resize(padded);
}

void GroupRounder::load(std::span<const float> weights, std::span<const float> importance) {
  size_ = static_cast<std::int64_t>(weights.size());
  padded_ = (size_ + lanes::kStep - 1) / lanes::kStep * lanes::kStep;
  const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
  low_ = *low;
  high_ = *high;
  double mean = 0;
  for (const float c : importance) mean += static_cast<double>(c);
  mean /= static_cast<double>(size_);
  // Importance counts relative to its mean; where it says nothing every weight counts the same.
  const bool weighted = mean > 0 && std::isfinite(mean);
  const auto inverse_mean = static_cast<float>(weighted ? 1 / mean : 1.0);
  sum_c_ = sum_cx_ = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(padded_); ++i) {
    const bool inside = i < weights.size();
    x_[i] = inside ? weights[i] : 0.0f;
    c_[i] = !inside ? 0.0f : weighted ? importance[i] * inverse_mean : 1.0f;
    cx_[i] = c_[i] * x_[i];
    sum_c_ += static_cast<double>(c_[i]);
    sum_cx_ += static_cast<double>(cx_[i]);
  }
}

// Squares of weights beyond these would leave the range of FP32: such groups are rounded plainly.
bool GroupRounder::searchable() const {
  const float largest = std::max(-low_, high_);
  return largest > 1e-15f && largest < 1e15f;
}

GroupGrid GroupRounder::grid_of_range(float low, float high) const {
  if (scheme_.symmetric) {
    const float longest = -low > high ? low : high;
    if (longest == 0) return {1.0f, middle_};
    const float step = scheme_.bits == 8 ? std::abs(longest) / 127.0f : longest / -middle_;
    return {round_scale(step, scheme_.scale), middle_};
  }
  if (scheme_.zero_point == ZeroPoint::kInteger) {
    low = std::min(low, 0.0f);
    high = std::max(high, 0.0f);
  }
  if (low == 0 && high == 0) return {1.0f, round_zero(0, scheme_)};
  // A float zero point beyond this would be coarser than the grid: widen the steps instead.
  const float farthest = scheme_.scale == ScaleType::kBf16 ? 64.0f : 512.0f;
  const float narrow = high / highest_ - low / highest_;
  const float step = scheme_.zero_point == ZeroPoint::kFloat
                         ? std::max(narrow, std::max(-low, high) / farthest)
                         : narrow;
  const float scale = round_scale(step, scheme_.scale);
  return {scale, round_zero(-low / scale, scheme_)};
}

GroupGrid GroupRounder::plain() const { return grid_of_range(low_, high_); }

// Codes of one vector: what every pass below shares.
namespace {
struct Rounder {
  F4 inverse, zero, lowest, highest;
  F4 operator()(F4 x) const {
    return lanes::round4(lanes::min4(lanes::max4(x * inverse + zero, lowest), highest));
  }
};
float inverse_of(float scale) { return 1.0f / scale; }
}  // namespace

GroupRounder::Sums GroupRounder::sums(float inverse, float zero) const {
  const bool floating = scheme_.zero_point == ZeroPoint::kFloat;
  const Rounder code{splat(inverse), splat(zero), splat(lowest_), splat(highest_)};
  const F4 center = splat(floating ? middle_ : zero);
  F4 cl[2] = {}, cll[2] = {}, clx[2] = {};
  for (std::int64_t i = 0; i < padded_; i += 8) {
    for (int k = 0; k < 2; ++k) {
      const F4 l = code(lanes::load4(&x_[static_cast<std::size_t>(i + 4 * k)])) - center;
      const F4 weighted = lanes::load4(&c_[static_cast<std::size_t>(i + 4 * k)]) * l;
      if (floating) cl[k] += weighted;
      cll[k] += weighted * l;
      clx[k] += lanes::load4(&cx_[static_cast<std::size_t>(i + 4 * k)]) * l;
    }
  }
  return {lanes::sum4(cl[0] + cl[1]), lanes::sum4(cll[0] + cll[1]), lanes::sum4(clx[0] + clx[1])};
}

double GroupRounder::merit(const Sums& s) const {
  if (scheme_.zero_point != ZeroPoint::kFloat) return s.cll > 0 ? s.clx * s.clx / s.cll : 0;
  // What a line explains: the part of the mean, and the part of the slope.
  const double spread = s.cll * sum_c_ - s.cl * s.cl;
  const double slope = s.clx * sum_c_ - s.cl * sum_cx_;
  const double mean = sum_cx_ * sum_cx_ / sum_c_;
  return spread > 1e-9 * s.cll * sum_c_ ? mean + slope * slope / (spread * sum_c_) : mean;
}

// The grid that minimises the weighted squared error for the codes that gave these sums.
GroupGrid GroupRounder::least_squares(const Sums& s, float zero) const {
  if (scheme_.zero_point != ZeroPoint::kFloat) {
    if (!(s.cll > 0)) return {0, zero};
    return {round_scale(static_cast<float>(s.clx / s.cll), scheme_.scale), zero};
  }
  const double spread = s.cll * sum_c_ - s.cl * s.cl;
  if (!(spread > 1e-9 * s.cll * sum_c_)) return {0, zero};
  const double slope = (s.clx * sum_c_ - s.cl * sum_cx_) / spread;
  const double level = (sum_cx_ - slope * s.cl) / sum_c_;  // x ~ slope * l + level
  const float scale = round_scale(static_cast<float>(slope), scheme_.scale);
  if (scale == 0) return {0, zero};
  return {scale, round_zero(middle_ - static_cast<float>(level) / scale, scheme_)};
}

// Weighted squared error of the grid, and the sums of the codes that it gives.
double GroupRounder::error(GroupGrid grid, Sums* found) const {
  const bool floating = scheme_.zero_point == ZeroPoint::kFloat;
  const Rounder code{splat(inverse_of(grid.scale)), splat(grid.zero), splat(lowest_),
                     splat(highest_)};
  const F4 center = splat(floating ? middle_ : grid.zero), scale = splat(grid.scale);
  const F4 offset = splat(floating ? grid.scale * (middle_ - grid.zero) : 0.0f);
  F4 cl{}, cll{}, clx{}, squares{};
  for (std::int64_t i = 0; i < padded_; i += 4) {
    const auto at = static_cast<std::size_t>(i);
    const F4 x = lanes::load4(&x_[at]), c = lanes::load4(&c_[at]);
    const F4 l = code(x) - center;
    const F4 wrong = x - (scale * l + offset);
    squares += c * wrong * wrong;
    cl += c * l;
    cll += c * l * l;
    clx += c * l * x;
  }
  *found = {lanes::sum4(cl), lanes::sum4(cll), lanes::sum4(clx)};
  return lanes::sum4(squares);
}

double GroupRounder::error_to_the(float power, GroupGrid grid) const {
  const Rounder code{splat(inverse_of(grid.scale)), splat(grid.zero), splat(lowest_),
                     splat(highest_)};
  const F4 scale = splat(grid.scale), zero = splat(grid.zero);
  F4 total{};
  for (std::int64_t i = 0; i < padded_; i += 4) {
    const auto at = static_cast<std::size_t>(i);
    const F4 x = lanes::load4(&x_[at]);
    total += lanes::load4(&c_[at]) * lanes::power4(x - scale * (code(x) - zero), power);
  }
  return lanes::sum4(total);
}

void GroupRounder::write_codes(GroupGrid grid, std::span<std::uint8_t> codes) const {
  const Rounder code{splat(inverse_of(grid.scale)), splat(grid.zero), splat(lowest_),
                     splat(highest_)};
  for (std::int64_t i = 0; i < size_; i += 4) {
    const F4 four = code(lanes::load4(&x_[static_cast<std::size_t>(i)]));
    for (std::int64_t j = i; j < std::min(i + 4, size_); ++j)
      codes[static_cast<std::size_t>(j)] = static_cast<std::uint8_t>(four[j - i]);
  }
}

GroupGrid GroupRounder::round(std::span<const float> weights, std::span<const float> importance,
                              std::span<std::uint8_t> codes) {
  load(weights, importance);
  GroupGrid grid = plain();
  if (searchable() && std::isfinite(grid.scale)) {
    if (method_ == RoundMethod::kShrink) grid = shrink();
    if (method_ == RoundMethod::kScaleSearch) grid = search();
    if (method_ == RoundMethod::kHqq) grid = half_quadratic();
  }
  if (std::isfinite(grid.scale)) write_codes(grid, codes);
  return grid;
}

}  // namespace farthing
