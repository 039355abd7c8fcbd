// Moving grids between formats: every weight must be the same number afterwards, bit for bit.
#include "formats/regrid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/random.h"
#include "tensor/float16.h"

namespace farthing {
namespace {

constexpr Shape kShape{5, 192};

WeightScheme scheme_of(std::string_view name, ScaleType scale = ScaleType::kF16) {
  WeightScheme scheme = parse_scheme(name).weights;
  if (scheme.block.empty()) scheme.scale = scale;
  return scheme;
}

QuantizedTensor rounded(const WeightScheme& scheme, bool one_sided = false) {
  Random random(3);
  std::vector<float> weights(static_cast<std::size_t>(kShape.size()));
  for (float& w : weights)
    w = static_cast<float>(random.uniform() - (one_sided ? 0.0 : 0.4)) * 0.3f;
  std::fill(weights.begin() + 192, weights.begin() + 224, 0.0f);  // a group of nothing
  QuantizedTensor tensor = allocate_tensor(kShape, scheme);
  tensor.format->quantize(tensor, 0, {weights.data(), kShape.rows, kShape.cols},
                          {RoundMethod::kMinMax, {}});
  return tensor;
}

std::vector<float> floats_of(const QuantizedTensor& tensor) {
  std::vector<float> floats(static_cast<std::size_t>(tensor.shape.size()));
  tensor.format->dequantize(tensor, 0, {floats.data(), tensor.shape.rows, tensor.shape.cols});
  return floats;
}

QuantizedTensor moved(const QuantizedTensor& from, const WeightScheme& scheme) {
  QuantizedTensor to = allocate_tensor(from.shape, scheme);
  Regridder regridder(from, scheme);
  for (std::int64_t r = 0; r < from.shape.rows; ++r) {
    EXPECT_NE(regridder.read(r), GridFit::kNone);
    to.format->write_grid(to, r, regridder.row());
  }
  return to;
}

struct Pair {
  const char *from, *to;
};
class ExactPairs : public testing::TestWithParam<Pair> {};

TEST_P(ExactPairs, KeepEveryWeight) {
  const QuantizedTensor from = rounded(scheme_of(GetParam().from));
  const WeightScheme to = scheme_of(GetParam().to);
  ASSERT_EQ(grid_fit(from, to), GridFit::kExact);
  EXPECT_EQ(floats_of(moved(from, to)), floats_of(from));
}

INSTANTIATE_TEST_SUITE_P(
    Grids, ExactPairs,
    testing::Values(Pair{"w4g32", "q4_0"}, Pair{"w4g64", "q4_0"}, Pair{"w4c", "q4_0"},
                    Pair{"w3g64", "q4_0"}, Pair{"w2g32", "q4_0"}, Pair{"w5g32", "q5_0"},
                    Pair{"w4g64-asym", "q5_0"}, Pair{"w6g64", "q8_0"}, Pair{"w8g32", "q8_0"},
                    Pair{"w8c", "q8_0"}, Pair{"w5g64-asym", "q8_0"}, Pair{"w8a8", "q8_0"},
                    Pair{"q4_0", "w4g32"}, Pair{"q8_0", "w8g32"}, Pair{"q5_0", "w5g32"},
                    Pair{"w4g64", "w4g32"}, Pair{"w4g64", "w4g64-asym"},
                    Pair{"w3g64", "w4g64-asym"}, Pair{"w4g64", "w8g64"},
                    Pair{"w4g64-asym", "w4g32-asym"}, Pair{"w8g32", "w8a8g32"}),
    [](const auto& test) {
      std::string name = fmt::format("{}_to_{}", test.param.from, test.param.to);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

struct Refusal {
  const char *from, *to;
};
class Misfits : public testing::TestWithParam<Refusal> {};

TEST_P(Misfits, AreSeen) {
  EXPECT_EQ(grid_fit(rounded(scheme_of(GetParam().from)), scheme_of(GetParam().to)),
            GridFit::kNone);
}

INSTANTIATE_TEST_SUITE_P(Grids, Misfits,
                         testing::Values(Refusal{"w8g32", "q4_0"},  // codes beyond four bits
                                         Refusal{"w4g16", "q4_0"},  // groups smaller than a block
                                         Refusal{"w4g64-asym", "w4g64"},  // zero points
                                         Refusal{"nf4g64", "q4_0"},       // levels
                                         Refusal{"w8g64-asym",
                                                 "q8_0"},           // up to 255 from the zero point
                                         Refusal{"w4g64", "q4_k"},  // no grid is written there
                                         Refusal{"bf16", "q4_0"}, Refusal{"w4g64", "bf16"}),
                         [](const auto& test) {
                           std::string name =
                               fmt::format("{}_to_{}", test.param.from, test.param.to);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// FP32 scales rarely are FP16 numbers: the codes stay, and it is said that the scales do not.
TEST(Regrid, ScalesOfAWiderTypeAreRounded) {
  const QuantizedTensor from = rounded(scheme_of("w4g64", ScaleType::kF32));
  ASSERT_EQ(grid_fit(from, scheme_of("q4_0")), GridFit::kRounded);
  const std::vector<float> was = floats_of(from), is = floats_of(moved(from, scheme_of("q4_0")));
  for (std::size_t i = 0; i < was.size(); ++i)
    EXPECT_NEAR(is[i], was[i], std::abs(was[i]) * 0x1p-11f + 1e-9f);
}

TEST(Regrid, ScalesThatHappenToFitAreExact) {
  EXPECT_EQ(grid_fit(rounded(scheme_of("w4g64", ScaleType::kBf16)), scheme_of("q4_0")),
            GridFit::kExact);
}

TEST(Regrid, ScalesBeyondTheTypeDoNotFit) {
  QuantizedTensor from = allocate_tensor({1, 64}, scheme_of("w4g64", ScaleType::kF32));
  const float huge = 1e6f;
  std::memcpy(from.parts[1].writable().data(), &huge, 4);
  EXPECT_EQ(grid_fit(from, scheme_of("q4_0")), GridFit::kNone);
}

// A minimum of q4_1 is an FP16 number; scale * zero point need not be one.
TEST(Regrid, MinimaFitWhenTheyAreNumbersOfTheType) {
  QuantizedTensor from = allocate_tensor({32, 32}, scheme_of("w4g32-asym"));
  const auto set = [&](float scale, int zero) {
    std::vector<std::uint8_t> codes(32, 5);
    std::vector<float> scales = {scale}, offsets = {scale * static_cast<float>(8 - zero)};
    for (std::int64_t r = 0; r < 32; ++r)
      from.format->write_grid(from, r, {codes, scales, offsets});
  };
  set(0.5f, 7);
  EXPECT_EQ(grid_fit(from, scheme_of("q4_1")), GridFit::kExact);
  EXPECT_EQ(floats_of(moved(from, scheme_of("q4_1"))), floats_of(from));
  set(to_float(Fp16{0x3FFF}), 7);  // all bits of the mantissa set
  EXPECT_EQ(grid_fit(from, scheme_of("q4_1")), GridFit::kRounded);
  EXPECT_EQ(grid_fit(from, scheme_of("q5_0")), GridFit::kExact);
}

}  // namespace
}  // namespace farthing
