// The searches against min-max, against trying everything, and against their definitions.
#include <cmath>

#include "core/error.h"
#include "formats/lanes.h"
#include "formats/rounding.h"
#include "tests/formats/rounded.h"

namespace farthing {
namespace {

using testing::Case;
using testing::dequantized;
using testing::integer_cases;
using testing::quantized;
using testing::squared_error;
using testing::weights_of;

TEST(ScaleSearch, TheSearchIsNeverWorseThanMinMax) {
  for (const Case& c : integer_cases()) {
    const std::vector<float> weights = weights_of(c.shape, 11);
    std::vector<float> importance(static_cast<std::size_t>(c.shape.cols));
    Random random(13);
    for (float& x : importance) x = static_cast<float>(std::pow(random.uniform(), 6.0) * 1e-3);
    importance[0] = 0;
    for (const std::span<const float> by :
         {std::span<const float>(), std::span<const float>(importance)}) {
      const auto plain =
          dequantized(quantized(c.scheme, c.shape, weights, RoundMethod::kMinMax, by));
      const auto searched =
          dequantized(quantized(c.scheme, c.shape, weights, RoundMethod::kScaleSearch, by));
      const double before = squared_error(weights, plain, by);
      const double after = squared_error(weights, searched, by);
      ASSERT_LE(after, before * (1 + 1e-5)) << c.name;
      if (c.scheme.bits <= 4) {
        ASSERT_LT(after, before * 0.995) << c.name;
      }
    }
  }
}

// Every scale of a fine raster, both signs, every integer zero point: the best that a grid can do.
double least_error(const float* weights, std::int64_t count, const WeightScheme& scheme) {
  float largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(weights[i]));
  const int top = (1 << scheme.bits) - 1, middle = 1 << (scheme.bits - 1);
  double least = HUGE_VAL;
  for (int k = 1; k <= 800; ++k)
    for (int zero = scheme.symmetric ? middle : 0; zero <= (scheme.symmetric ? middle : top);
         ++zero)
      for (const double sign : {1.0, -1.0}) {
        const double scale = sign * 2.2 * static_cast<double>(largest) / top * k / 800;
        double error = 0;
        for (std::int64_t i = 0; i < count; ++i) {
          const double x = static_cast<double>(weights[i]);
          const double code =
              std::clamp(std::nearbyint(x / scale) + zero, 0.0, static_cast<double>(top));
          error += std::pow(x - scale * (code - zero), 2);
        }
        least = std::min(least, error);
      }
  return least;
}

TEST(ScaleSearch, TheSearchComesWithinOnePercentOfTryingEverything) {
  for (const char* name : {"w2g32", "w3g32", "w4g32", "w4g64", "w2g32-asym", "w3g32-asym"}) {
    const WeightScheme scheme = parse_scheme(name).weights;
    const Shape shape{24, scheme.group_size};
    const std::vector<float> weights = weights_of(shape, 61);
    const auto values = dequantized(quantized(scheme, shape, weights, RoundMethod::kScaleSearch));
    double least = 0;
    for (std::int64_t r = 0; r < shape.rows; ++r)
      least += least_error(weights.data() + r * shape.cols, shape.cols, scheme);
    EXPECT_LE(squared_error(weights, values, {}), 1.01 * least) << name;
  }
}

TEST(ScaleSearch, ShrinkingLowersTheErrorItMeasures) {
  const Shape shape{16, 128};
  const std::vector<float> weights = weights_of(shape, 17);
  for (const char* name : {"w3g64", "w4g128", "w4c-asym"}) {
    const WeightScheme scheme = parse_scheme(name).weights;
    const auto measure = [&](RoundMethod method) {
      const auto values = dequantized(quantized(scheme, shape, weights, method));
      double sum = 0;
      for (std::size_t i = 0; i < weights.size(); ++i)
        sum += std::pow(std::abs(static_cast<double>(weights[i] - values[i])), 2.4);
      return sum;
    };
    EXPECT_LT(measure(RoundMethod::kShrink), 0.97 * measure(RoundMethod::kMinMax)) << name;
  }
}

TEST(ScaleSearch, HqqLowersTheAbsoluteErrorOfItsZeroPoints) {
  const Shape shape{32, 256};
  const std::vector<float> weights = weights_of(shape, 19);
  const WeightScheme scheme = parse_scheme("w3g64-asymf").weights;
  const auto mean_error = [&](RoundMethod method) {
    const auto values = dequantized(quantized(scheme, shape, weights, method));
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += std::abs(static_cast<double>(weights[i] - values[i]));
    return sum;
  };
  EXPECT_LT(mean_error(RoundMethod::kHqq), mean_error(RoundMethod::kMinMax));
}

// HQQ's loop as its authors describe it, in double and with std::pow; returns the zero point.
double naive_hqq(const float* weights, std::int64_t count, int bits) {
  const auto [low, high] = std::minmax_element(weights, weights + count);
  const double top = (1 << bits) - 1;
  const auto scale = static_cast<double>(round_scale(
      static_cast<float>((static_cast<double>(*high) - static_cast<double>(*low)) / top),
      ScaleType::kF32));
  double zero = -static_cast<double>(*low) / scale, best = zero, least = HUGE_VAL, beta = 10;
  for (int round = 0; round < 20; ++round, beta *= 1.01) {
    double wrong = 0, sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto w = static_cast<double>(weights[i]);
      const double code = std::clamp(std::nearbyint(w / scale + zero), 0.0, top);
      const double error = w - scale * (code - zero);
      const double size = std::abs(error);
      const double soft = std::copysign(std::max(0.0, size - std::pow(size, -0.3) / beta), error);
      sum += code - (w - soft) / scale;
      wrong += size;
    }
    if (wrong > least * 1.00001) break;
    least = wrong;
    best = zero;
    zero = sum / static_cast<double>(count);
  }
  return best;
}

TEST(ScaleSearch, HqqFindsTheZeroPointsOfItsDefinition) {
  std::vector<float> weights = weights_of({400, 64}, 67);
  for (float& w : weights) w *= 30;  // of a size at which errors are softened
  WeightScheme scheme = parse_scheme("w3g64-asymf").weights;
  scheme.scale = ScaleType::kF32;
  GroupRounder rounder(scheme, RoundMethod::kHqq, 64);
  std::vector<std::uint8_t> codes(64);
  int equal = 0, moved = 0;
  for (std::size_t g = 0; g < 400; ++g) {
    const float* group = weights.data() + 64 * g;
    const GroupGrid grid = rounder.round({group, 64}, {}, codes);
    const double expected = naive_hqq(group, 64, 3);
    equal += std::abs(static_cast<double>(grid.zero) - expected) < 1e-3;
    const float low = *std::min_element(group, group + 64);
    moved += std::abs(static_cast<double>(-low / grid.scale) - expected) > 1e-2;
  }
  EXPECT_GE(equal, 396);  // a code at a tie may round the other way in single precision
  EXPECT_GE(moved, 200);
}

TEST(ScaleSearch, PowersAreGoodToATenThousandth) {
  Random random(73);
  for (int i = 0; i < 10000; ++i) {
    const auto x = static_cast<float>(std::exp2(random.uniform() * 40 - 35));
    for (const float power : {2.4f, -0.3f}) {
      const double exact = std::pow(static_cast<double>(x), static_cast<double>(power));
      const float found = lanes::power4(lanes::splat(i % 2 == 0 ? x : -x), power)[i % 4];
      ASSERT_NEAR(static_cast<double>(found), exact, 1e-4 * exact) << x;
    }
  }
}

TEST(ScaleSearch, HqqNeedsAZeroPoint) {
  const Shape shape{1, 64};
  EXPECT_THROW(
      quantized(parse_scheme("w4g64").weights, shape, weights_of(shape, 1), RoundMethod::kHqq),
      Error);
}

TEST(ScaleSearch, ImportanceDecidesWhereTheErrorGoes) {
  const Shape shape{8, 64};
  const std::vector<float> weights = weights_of(shape, 37);
  std::vector<float> importance(64, 1e-4f);
  for (std::size_t j = 0; j < 64; j += 4) importance[j] = 1;
  const WeightScheme scheme = parse_scheme("w2g64").weights;
  const auto on_important = [&](std::span<const float> by) {
    const auto values =
        dequantized(quantized(scheme, shape, weights, RoundMethod::kScaleSearch, by));
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); i += 4)
      sum += std::pow(static_cast<double>(weights[i] - values[i]), 2.0);
    return sum;
  };
  EXPECT_LT(on_important(importance), 0.8 * on_important({}));
  const std::vector<float> dead(64, 0.0f);
  const auto expected = dequantized(quantized(scheme, shape, weights, RoundMethod::kScaleSearch));
  testing::expect_same_bits(
      dequantized(quantized(scheme, shape, weights, RoundMethod::kScaleSearch, dead)), expected,
      "importance that is zero everywhere");
}

}  // namespace
}  // namespace farthing
