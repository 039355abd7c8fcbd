#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "model/rope_frequencies.h"

namespace farthing::model {
namespace {

std::vector<double> base_frequencies(double theta, std::int64_t dim) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < dim; i += 2)
    result.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(dim)));
  return result;
}

// Long waves are stretched by the factor, short ones kept, those between blended (Llama 3.1).
void scale_llama3(const RopeConfig& c, std::vector<double>& frequencies) {
  const double longest = c.original_max_positions / c.low_frequency_factor;
  const double shortest = c.original_max_positions / c.high_frequency_factor;
  for (double& f : frequencies) {
    const double wave = 2 * std::numbers::pi / f;
    if (wave < shortest) continue;
    const double smooth = (c.original_max_positions / wave - c.low_frequency_factor) /
                          (c.high_frequency_factor - c.low_frequency_factor);
    f = wave > longest ? f / c.factor : (1 - smooth) * f / c.factor + smooth * f;
  }
}

// YaRN (Peng et al., 2023): a ramp over the dimensions between the two rotation counts.
void scale_yarn(const RopeConfig& c, std::int64_t dim, std::vector<double>& frequencies) {
  const auto dimension_of = [&](double rotations) {
    return static_cast<double>(dim) *
           std::log(c.original_max_positions / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(c.theta));
  };
  double low = dimension_of(c.beta_fast), high = dimension_of(c.beta_slow);
  if (c.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / c.factor * ramp + frequencies[i] * (1 - ramp);
  }
}

double yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

double attention_factor(const RopeConfig& c) {
  if (c.attention_factor > 0) return c.attention_factor;
  if (c.scaling == RopeScaling::kYarn) {
    if (c.mscale != 0 && c.mscale_all_dim != 0)
      return yarn_scale(c.factor, c.mscale) / yarn_scale(c.factor, c.mscale_all_dim);
    return yarn_scale(c.factor, 1);
  }
  if (c.scaling == RopeScaling::kLongRope)
    return c.factor <= 1 ? 1
                         : std::sqrt(1 + std::log(c.factor) / std::log(c.original_max_positions));
  return 1;
}

void divide(std::vector<double>& frequencies, const std::vector<double>& factors) {
  if (factors.size() != frequencies.size())
    bad_input("rotary embedding: {} scaling factors for {} frequencies", factors.size(),
              frequencies.size());
  for (std::size_t i = 0; i < factors.size(); ++i) frequencies[i] /= factors[i];
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeConfig& config, std::int64_t rotary_dim,
                                 std::span<const float> factors) {
  RopeFrequencies made{.usual = base_frequencies(config.theta, rotary_dim),
                       .beyond = {},
                       .attention_factor = attention_factor(config)};
  if (!factors.empty()) divide(made.usual, std::vector<double>(factors.begin(), factors.end()));
  switch (config.scaling) {
    case RopeScaling::kNone:
    case RopeScaling::kDynamic:
      break;
    case RopeScaling::kLinear:
      for (double& f : made.usual) f /= config.factor;
      break;
    case RopeScaling::kLlama3:
      scale_llama3(config, made.usual);
      break;
    case RopeScaling::kYarn:
      scale_yarn(config, rotary_dim, made.usual);
      break;
    case RopeScaling::kLongRope:
      made.beyond = made.usual;
      divide(made.usual, config.short_factors);
      divide(made.beyond, config.long_factors);
      break;
  }
  return made;
}

Rope::Rope(const RopeConfig& config, std::int64_t rotary_dim, std::span<const float> factors)
    : config_(config), rotary_dim_(rotary_dim) {
  RopeFrequencies made = rope_frequencies(config, rotary_dim, factors);
  short_ = std::move(made.usual);
  long_ = std::move(made.beyond);
  attention_factor_ = made.attention_factor;
}

std::vector<double> Rope::frequencies(double length) const {
  if (length <= config_.original_max_positions) return short_;
  if (config_.scaling == RopeScaling::kLongRope) return long_;
  if (config_.scaling != RopeScaling::kDynamic || rotary_dim_ <= 2) return short_;
  const double dim = static_cast<double>(rotary_dim_);
  const double stretch =
      config_.factor * length / config_.original_max_positions - (config_.factor - 1);
  return base_frequencies(config_.theta * std::pow(stretch, dim / (dim - 2)), rotary_dim_);
}

bool Rope::same_for(cache::Position one, cache::Position other) const {
  const auto is_long = [&](cache::Position length) {
    return static_cast<double>(length) > config_.original_max_positions;
  };
  return config_.scaling != RopeScaling::kLongRope || is_long(one) == is_long(other);
}

void Rope::fill(const cache::Batch& batch, MatrixView<float> table) const {
  const std::int64_t half = rotary_dim_ / 2;
  for (const cache::SequenceSlice& slice : batch.sequences) {
    const auto f = frequencies(
        static_cast<double>(std::max(slice.known_length, slice.first_position + slice.count)));
    for (std::int64_t r = 0; r < slice.count; ++r) {
      float* row = table.row_data(slice.first_row + r);
      for (std::int64_t i = 0; i < half; ++i) {
        // transformers computes the angle in FP32; the difference to FP64 stays below 1e-4 of a
        // turn.
        const float angle = static_cast<float>(slice.first_position + r) *
                            static_cast<float>(f[static_cast<std::size_t>(i)]);
        row[i] = static_cast<float>(std::cos(angle) * attention_factor_);
        row[half + i] = static_cast<float>(std::sin(angle) * attention_factor_);
      }
    }
  }
}

}  // namespace farthing::model
