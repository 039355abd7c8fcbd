// nf4, mxfp4 and fp8.
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "formats/format.h"
#include "tensor/float16.h"
#include "tests/formats/golden.h"

namespace farthing {
namespace {

std::vector<float> normal_weights(std::size_t size, double deviation) {
  Random random(53);
  std::vector<float> weights(size);
  for (float& w : weights) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    w = static_cast<float>(deviation * sum);
  }
  return weights;
}

QuantizedTensor quantized(const char* name, Shape shape, const std::vector<float>& weights,
                          RoundMethod method, std::span<const float> importance = {}) {
  QuantizedTensor tensor = allocate_tensor(shape, parse_scheme(name).weights);
  tensor.format->quantize(tensor, 0, {weights.data(), shape.rows, shape.cols},
                          {method, importance});
  return tensor;
}

double error_of(const std::vector<float>& values, const std::vector<float>& weights,
                std::span<const float> importance = {}) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    sum += std::pow(static_cast<double>(values[i] - weights[i]), 2) *
           (importance.empty() ? 1.0 : static_cast<double>(importance[i % importance.size()]));
  return sum;
}

TEST(Codebook, TheGridIsTheWeightsBitForBit) {
  for (const char* name : {"nf4g64", "nf4c", "mxfp4"}) {
    const Shape shape{5, name == std::string_view("nf4c") ? 37 : 128};
    const auto weights = normal_weights(static_cast<std::size_t>(shape.size()), 0.02);
    const auto tensor = quantized(name, shape, weights, RoundMethod::kScaleSearch);
    testing::expect_same_bits(testing::through_grid(tensor), testing::dequantized(tensor), name);
  }
}

TEST(Codebook, EachWeightTakesItsNearestLevel) {
  for (const char* name : {"nf4g64", "mxfp4"}) {
    const Shape shape{4, 128};
    const auto weights = normal_weights(512, 0.02);
    const auto tensor = quantized(name, shape, weights, RoundMethod::kMinMax);
    const Grid grid = tensor.format->grid(tensor);
    std::vector<std::uint8_t> codes(128);
    std::vector<float> scales(static_cast<std::size_t>(128 / grid.group_size));
    for (std::size_t i = 0; i < 512; ++i) {
      if (i % 128 == 0)
        tensor.format->read_grid(tensor, static_cast<std::int64_t>(i / 128), {codes, scales, {}});
      const float scale = scales[i % 128 / static_cast<std::size_t>(grid.group_size)];
      const float reach = scale * std::max(grid.codebook[7], grid.codebook[15]);
      ASSERT_LE(std::abs(weights[i]), reach * 1.001f) << name << ": min-max does not clip";
      const float chosen = std::abs(weights[i] - scale * grid.codebook[codes[i % 128]]);
      for (int level = 0; level < 16; ++level)
        ASSERT_LE(chosen, std::abs(weights[i] - scale * grid.codebook[level]) * 1.00001f + 1e-9f)
            << name << " weight " << i;
    }
  }
}

TEST(Codebook, TiesOfMxfp4GoToTheEvenCode) {
  std::vector<float> weights = {6,  0.25f,  0.75f,  1.25f,  1.75f,  2.5f,  3.5f,  5,
                                -6, -0.25f, -0.75f, -1.25f, -1.75f, -2.5f, -3.5f, -5};
  weights.resize(32);
  std::vector<float> expected = {6, 0, 1, 1, 2, 2, 4, 4, -6, 0, -1, -1, -2, -2, -4, -4};
  expected.resize(32);
  EXPECT_EQ(testing::dequantized(quantized("mxfp4", {1, 32}, weights, RoundMethod::kMinMax)),
            expected);
}

TEST(Codebook, SearchingIsNeverWorseThanMinMax) {
  const Shape shape{16, 128};
  const auto weights = normal_weights(2048, 0.02);
  std::vector<float> importance(128);
  Random random(59);
  for (float& x : importance) x = static_cast<float>(std::pow(random.uniform(), 5.0));
  for (const char* name : {"nf4g64", "nf4g32", "mxfp4"})
    for (const std::span<const float> by :
         {std::span<const float>(), std::span<const float>(importance)}) {
      const auto plain = quantized(name, shape, weights, RoundMethod::kMinMax, by);
      const auto searched = quantized(name, shape, weights, RoundMethod::kScaleSearch, by);
      EXPECT_LT(error_of(testing::dequantized(searched), weights, by),
                0.99 * error_of(testing::dequantized(plain), weights, by))
          << name;
    }
}

TEST(Codebook, TheScaleOfNf4ComesWithinOnePercentOfTryingEverything) {
  const Shape shape{32, 64};
  const auto weights = normal_weights(2048, 0.02);
  const auto tensor = quantized("nf4g64", shape, weights, RoundMethod::kScaleSearch);
  const float* levels = tensor.format->grid(tensor).codebook;
  double total = 0;
  for (std::size_t r = 0; r < 32; ++r) {
    double least = HUGE_VAL;
    for (int k = 0; k < 600; ++k) {
      const double scale = 0.04 + 0.0001 * k * 1.2;
      double error = 0;
      for (std::size_t i = 0; i < 64; ++i) {
        double nearest = HUGE_VAL;
        for (int level = 0; level < 16; ++level)
          nearest = std::min(nearest, std::pow(static_cast<double>(weights[r * 64 + i]) -
                                                   scale * static_cast<double>(levels[level]),
                                               2));
        error += nearest;
      }
      least = std::min(least, error);
    }
    total += least;
  }
  EXPECT_LE(error_of(testing::dequantized(tensor), weights), 1.01 * total);
}

TEST(Codebook, RoundingAgainChangesNothing) {
  const Shape shape{4, 128};
  const auto weights = normal_weights(512, 0.02);
  for (const char* name : {"nf4g64", "mxfp4"}) {
    const auto once = testing::dequantized(quantized(name, shape, weights, RoundMethod::kMinMax));
    const auto twice = testing::dequantized(quantized(name, shape, once, RoundMethod::kMinMax));
    EXPECT_LE(error_of(twice, once), 1e-12 * error_of(once, std::vector<float>(512))) << name;
  }
}

TEST(Codebook, ExtremeAndEmptyGroupsComeThrough) {
  for (const char* name : {"nf4g32", "mxfp4"})
    for (const double size : {0.0, 1e-38, 1e-20, 1e-6, 1.0, 1e4}) {
      const auto weights = normal_weights(64, size);
      for (const RoundMethod method : {RoundMethod::kMinMax, RoundMethod::kScaleSearch}) {
        const auto values = testing::dequantized(quantized(name, {2, 32}, weights, method));
        for (std::size_t i = 0; i < values.size(); ++i) {
          ASSERT_TRUE(std::isfinite(values[i]));
          ASSERT_LE(std::abs(values[i] - weights[i]), 0.8 * size + 0x1p-24) << name << " " << size;
        }
      }
    }
}

TEST(Fp8, EveryNumberOfTheTypeIsKept) {
  std::vector<float> weights;
  for (int bits = 0; bits < 256; ++bits)
    if ((bits & 0x7F) != 0x7F)
      weights.push_back(to_float(Fp8E4m3{static_cast<std::uint8_t>(bits)}));
  const Shape shape{1, static_cast<std::int64_t>(weights.size())};
  testing::expect_same_bits(
      testing::dequantized(quantized("fp8", shape, weights, RoundMethod::kMinMax)), weights, "fp8");
}

TEST(Fp8, EachWeightTakesItsNearestNumber) {
  std::vector<float> weights = normal_weights(400, 30);
  for (std::size_t i = 1; i < 200; ++i) weights[i] *= 1e-3f;
  weights[0] = 448;  // makes the scale 1
  const auto values =
      testing::dequantized(quantized("fp8", {1, 400}, weights, RoundMethod::kMinMax));
  for (std::size_t i = 0; i < weights.size(); ++i)
    for (int bits = 0; bits < 256; ++bits) {
      const float candidate = to_float(Fp8E4m3{static_cast<std::uint8_t>(bits)});
      if (std::isnan(candidate)) continue;
      ASSERT_LE(std::abs(values[i] - weights[i]), std::abs(candidate - weights[i]));
    }
}

TEST(Codebook, WhatCannotBeIsRefused) {
  EXPECT_THROW(allocate_tensor({2, 48}, parse_scheme("mxfp4").weights), Error);
  EXPECT_THROW(quantized("mxfp4", {1, 32}, normal_weights(32, 1), RoundMethod::kHqq), Error);
  EXPECT_THROW(quantized("nf4g32", {1, 32}, normal_weights(32, 1), RoundMethod::kHqq), Error);
  EXPECT_THROW(quantized("nf4g32", {1, 32}, normal_weights(32, 1e8), RoundMethod::kMinMax), Error);
}

}  // namespace
}  // namespace farthing
