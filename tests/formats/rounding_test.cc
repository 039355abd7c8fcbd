// Properties that every integer format keeps, over bits, groups, zero points and tails.
#include "formats/rounding.h"

#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "core/error.h"
#include "tensor/float16.h"
#include "tests/formats/rounded.h"

namespace farthing {
namespace {

using testing::Case;
using testing::dequantized;
using testing::integer_cases;
using testing::methods_of;
using testing::quantized;
using testing::through_grid;
using testing::weights_of;

TEST(Rounding, TheGridIsTheWeightsBitForBit) {
  for (const Case& c : integer_cases())
    for (const ScaleType type : {ScaleType::kF16, ScaleType::kBf16, ScaleType::kF32})
      for (const RoundMethod method : methods_of(c.scheme)) {
        WeightScheme scheme = c.scheme;
        scheme.scale = type;
        const auto tensor = quantized(scheme, c.shape, weights_of(c.shape, 3), method);
        testing::expect_same_bits(through_grid(tensor), dequantized(tensor), c.name);
      }
}

TEST(Rounding, MinMaxIsWithinHalfAStep) {
  for (const Case& c : integer_cases()) {
    const std::vector<float> weights = weights_of(c.shape, 5);
    const auto tensor = quantized(c.scheme, c.shape, weights, RoundMethod::kMinMax);
    const std::vector<float> values = dequantized(tensor);
    const Grid grid = tensor.format->grid(tensor);
    const auto cols = static_cast<std::size_t>(c.shape.cols);
    const auto inputs = static_cast<std::size_t>(grid.group_size);
    std::vector<std::uint8_t> codes(cols);
    std::vector<float> scales(cols / inputs), offsets(cols / inputs);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (i % cols == 0)
        tensor.format->read_grid(tensor, static_cast<std::int64_t>(i / cols),
                                 {codes, scales, offsets});
      const std::size_t g = i % cols / inputs;
      const float step = std::abs(scales[g]);
      const int top = (1 << grid.bits) - 1, bottom = c.scheme.symmetric && grid.bits == 8 ? 1 : 0;
      // The longer half-grid of a signed symmetric scale; one step less on the other side, and the
      // rounding of scale and zero point, may clip.
      const int code = codes[i % cols];
      const float error = std::abs(weights[i] - values[i]);
      const float level = scales[g] * static_cast<float>(code - grid.bias);
      const float slack = 1e-6f * std::abs(level) + 1e-6f * step;
      const float steps = code > bottom && code < top ? 0.5f : 1.08f;
      ASSERT_LE(error, steps * step + slack) << c.name << " weight " << i;
    }
  }
}

TEST(Rounding, RoundingAgainChangesNothing) {
  for (const Case& c : integer_cases()) {
    if (c.scheme.zero_point == ZeroPoint::kFloat) continue;
    const auto once = quantized(c.scheme, c.shape, weights_of(c.shape, 7), RoundMethod::kMinMax);
    const std::vector<float> values = dequantized(once);
    // Min-max finds the same grid where the ends of it are in use; the codes' values always stay.
    const auto twice = quantized(c.scheme, c.shape, values, RoundMethod::kMinMax);
    if (c.scheme.symmetric) {
      for (std::size_t i = 0; i < once.parts.size(); ++i)
        ASSERT_TRUE(std::ranges::equal(once.parts[i].view(), twice.parts[i].view())) << c.name;
    }
    const auto searched = quantized(c.scheme, c.shape, values, RoundMethod::kScaleSearch);
    if (c.scheme.symmetric) testing::expect_same_bits(dequantized(searched), values, c.name);
  }
}

TEST(Rounding, EightBitSymmetricCodesStayWithin127) {
  for (const char* name : {"w8c", "w8g32", "w8a8"}) {
    const WeightScheme scheme = parse_scheme(name).weights;
    const Shape shape{64, 32};
    std::vector<float> weights = weights_of(shape, 71);
    for (std::size_t i = 0; i < weights.size(); i += 32) weights[i] = -1;  // the search clips it
    for (const RoundMethod method : methods_of(scheme)) {
      const auto tensor = quantized(scheme, shape, weights, method);
      std::vector<std::uint8_t> codes(32);
      std::vector<float> scales(1);
      for (std::int64_t r = 0; r < shape.rows; ++r) {
        tensor.format->read_grid(tensor, r, {codes, scales, {}});
        for (const std::uint8_t code : codes) ASSERT_GE(code, 1) << name;
        ASSERT_GT(scales[0], 0.0f);
      }
    }
  }
}

TEST(Rounding, RowsAreIndependentOfHowTheyAreCutAndOfThreads) {
  for (const char* name : {"w3g32-asym", "w5c-asym", "w4g64", "w4g32-asymf", "w8a8"}) {
    const WeightScheme scheme = parse_scheme(name).weights;
    const Shape shape{70, 64};
    const std::vector<float> weights = weights_of(shape, 23);
    const auto whole = quantized(scheme, shape, weights, RoundMethod::kScaleSearch);
    QuantizedTensor cut = allocate_tensor(shape, scheme);
    const auto take = [&](std::int64_t first) {
      for (std::int64_t r = first; r < shape.rows; r += 2)
        cut.format->quantize(cut, r, {weights.data() + r * shape.cols, 1, shape.cols}, {});
    };
    std::thread other(take, 1);
    take(0);
    other.join();
    for (std::size_t i = 0; i < whole.parts.size(); ++i)
      ASSERT_TRUE(std::ranges::equal(whole.parts[i].view(), cut.parts[i].view())) << name;
  }
}

TEST(Rounding, QuantisingAgainIntoATensorLeavesNothingOfTheOldCodes) {
  const WeightScheme scheme = parse_scheme("w3g32-asym").weights;
  const Shape shape{40, 96};
  const std::vector<float> first = weights_of(shape, 29), second = weights_of(shape, 31);
  QuantizedTensor reused = quantized(scheme, shape, first, RoundMethod::kMinMax);
  reused.format->quantize(reused, 0, {second.data(), shape.rows, shape.cols},
                          {RoundMethod::kMinMax, {}});
  const auto fresh = quantized(scheme, shape, second, RoundMethod::kMinMax);
  for (std::size_t i = 0; i < fresh.parts.size(); ++i)
    ASSERT_TRUE(std::ranges::equal(reused.parts[i].view(), fresh.parts[i].view()));
}

TEST(Rounding, SpecialGroupsComeThrough) {
  const std::int64_t inputs = 32;
  std::vector<std::vector<float>> groups(9, std::vector<float>(static_cast<std::size_t>(inputs)));
  for (std::size_t j = 0; j < groups[0].size(); ++j) {
    const auto x = static_cast<float>(j);
    groups[1][j] = 1.0f + 0.01f * x;        // one-signed
    groups[2][j] = -3.0f - 0.5f * x;        // one-signed, negative
    groups[3][j] = 0.25f;                   // constant
    groups[4][j] = j == 5 ? 7.0f : 0.0f;    // one outlier
    groups[5][j] = 1e-9f * (x - 16);        // far below FP16's scales
    groups[6][j] = 1e-30f * (x - 16);       // and further
    groups[7][j] = 1000.0f * (x - 12);      // large
    groups[8][j] = j % 2 == 0 ? -0.0f : 0;  // zeros of both signs
  }
  for (const Case& c : integer_cases())
    for (const RoundMethod method : methods_of(c.scheme))
      for (std::size_t k = 0; k < groups.size(); ++k) {
        WeightScheme scheme = c.scheme;
        scheme.strategy = Strategy::kChannel;
        scheme.group_size = 0;
        const Shape shape{1, inputs};
        const auto values = dequantized(quantized(scheme, shape, groups[k], method));
        float largest = 0;
        for (const float x : groups[k]) largest = std::max(largest, std::abs(x));
        const float limit = 1.01f * largest / static_cast<float>((1 << (scheme.bits - 1)) - 1);
        for (std::size_t j = 0; j < values.size(); ++j) {
          ASSERT_TRUE(std::isfinite(values[j]));
          if (method != RoundMethod::kMinMax) continue;
          ASSERT_LE(std::abs(values[j] - groups[k][j]), limit + 0x1p-24f)
              << c.name << " group " << k << " weight " << j;
        }
        if (k == 0 || k == 8) {
          for (const float value : values) ASSERT_EQ(value, 0.0f);
        }
        if (k == 4 && scheme.zero_point != ZeroPoint::kFloat &&
            method == RoundMethod::kScaleSearch) {
          ASSERT_NEAR(values[5], 7.0f, 0.01f) << c.name;
        }
      }
}

std::string refusal(const WeightScheme& scheme, Shape shape, const std::vector<float>& weights) {
  try {
    quantized(scheme, shape, weights, RoundMethod::kScaleSearch);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kBadInput);
    return error.what();
  }
  return "";
}

TEST(Rounding, WeightsThatAreNotNumbersAreNamedByRowAndColumn) {
  const Shape shape{3, 64};
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF})
    for (const char* name : {"w4g64", "w8c", "bf16", "fp32", "w8a8"}) {
      std::vector<float> weights = weights_of(shape, 41);
      weights[2 * 64 + 17] = bad;
      EXPECT_THAT(refusal(parse_scheme(name).weights, shape, weights),
                  ::testing::HasSubstr("row 2, column 17"));
    }
}

TEST(Rounding, AScaleBeyondFp16IsRefusedAndFitsBf16) {
  const Shape shape{1, 64};
  std::vector<float> weights = weights_of(shape, 43);
  weights[9] = 1e7f;
  for (const char* name : {"w4g64", "w4g64-asym", "w8c"}) {
    WeightScheme scheme = parse_scheme(name).weights;
    EXPECT_THAT(refusal(scheme, shape, weights), ::testing::HasSubstr("range of F16"));
    scheme.scale = ScaleType::kBf16;
    const auto values = dequantized(quantized(scheme, shape, weights, RoundMethod::kScaleSearch));
    EXPECT_NEAR(values[9], 1e7f, 1e5f) << name;
  }
}

TEST(Rounding, ScalesAreNumbersOfTheirType) {
  Random random(47);
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<float>(std::exp2(random.uniform() * 60 - 40) *
                                      (random.uniform() < 0.5 ? -1 : 1));
    const float half = round_scale(x, ScaleType::kF16);
    ASSERT_EQ(half, to_float(to_fp16(half)));
    const float brain = round_scale(x, ScaleType::kBf16);
    ASSERT_EQ(brain, to_float(to_bf16(brain)));
    ASSERT_NEAR(brain, x, std::abs(x) / 256);
    const float single = round_scale(x, ScaleType::kF32);
    ASSERT_EQ(single * 255.0f, static_cast<float>(static_cast<double>(single) * 255.0));
    ASSERT_NEAR(single, x, std::abs(x) * 0x1p-16f);
    if (std::abs(x) < 60000) {
      ASSERT_NE(half, 0.0f);
      ASSERT_NEAR(half, x, std::max(std::abs(x) * 0x1p-11f, 0x1p-24f));
    }
  }
}

TEST(Rounding, TensorsOfWrongSizesAreRefused) {
  const WeightScheme scheme = parse_scheme("w4g64").weights;
  EXPECT_THROW(allocate_tensor({4, 100}, scheme), Error);
  EXPECT_THROW(allocate_tensor({0, 64}, scheme), Error);
  EXPECT_THROW(allocate_tensor({-1, 64}, scheme), Error);
  EXPECT_THROW(borrow_tensor({std::int64_t{1} << 40, std::int64_t{1} << 40}, scheme, {}, "file"),
               Error);
  EXPECT_THROW(borrow_tensor({4, 64}, scheme, {}, "file"), Error);
  const QuantizedTensor good = allocate_tensor({4, 64}, scheme);
  const auto parts = [&] {
    std::vector<Bytes> borrowed;
    for (const Bytes& part : good.parts) borrowed.push_back(Bytes::borrow(part.view()));
    return borrowed;
  };
  EXPECT_NO_THROW(borrow_tensor({4, 64}, scheme, parts(), "file"));
  std::vector<Bytes> cut = parts();
  cut[1] = Bytes::borrow(good.parts[1].view().subspan(1));
  EXPECT_THROW(borrow_tensor({4, 64}, scheme, std::move(cut), "file"), Error);
  // The sizes of (4, 64) and of (2, 64) with other parts agree nowhere; .weight_shape must too.
  std::vector<Bytes> lying = parts();
  const std::int64_t other[2] = {64, 4};
  lying[2] = Bytes::borrow(std::as_bytes(std::span(other)));
  EXPECT_THROW(borrow_tensor({4, 64}, scheme, std::move(lying), "file"), Error);
}

}  // namespace
}  // namespace farthing
