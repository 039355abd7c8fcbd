#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "formats/format.h"

namespace farthing {
namespace {

std::string refusal(std::string_view name) {
  try {
    parse_scheme(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUsage);
    return error.what();
  }
  return "";
}

TEST(Scheme, EveryNameComesBack) {
  for (const char* name :
       {"fp32",   "bf16",     "fp16",       "fp8",         "w8c",    "w8g32",      "w4g32",
        "w4g64",  "w4g128",   "w4g64-asym", "w4g64-asymf", "w3g64",  "w2g16",      "w5c",
        "w6g256", "w7c-asym", "w8a8",       "w8a8g64",     "nf4g64", "nf4c",       "mxfp4",
        "q4_0",   "q4_1",     "q5_0",       "q5_1",        "q8_0",   "q2_k",       "q3_k",
        "q4_k",   "q5_k",     "q6_k",       "iq4_nl",      "iq4_xs", "w8a8-static"})
    EXPECT_EQ(scheme_name(parse_scheme(name)), name);
}

TEST(Scheme, NamesMayBeWrittenInCapitals) { EXPECT_EQ(parse_scheme("Q4_K"), parse_scheme("q4_k")); }

TEST(Scheme, AsymmetricMeansAnIntegerZeroPoint) {
  const WeightScheme scheme = parse_scheme("w4g64-asym").weights;
  EXPECT_FALSE(scheme.symmetric);
  EXPECT_EQ(scheme.zero_point, ZeroPoint::kInteger);
  EXPECT_EQ(parse_scheme("w4g64-asymf").weights.zero_point, ZeroPoint::kFloat);
}

TEST(Scheme, WeightsAndActivationsAtEightBits) {
  const QuantScheme channel = parse_scheme("w8a8");
  EXPECT_TRUE(channel.weights.plain);
  EXPECT_EQ(channel.weights.strategy, Strategy::kChannel);
  EXPECT_EQ(channel.activations.mode, ActivationMode::kInt8);
  EXPECT_EQ(channel.activations.strategy, Strategy::kChannel);
  EXPECT_TRUE(channel.activations.dynamic);
  const QuantScheme groups = parse_scheme("w8a8g64");
  EXPECT_EQ(groups.activations.strategy, Strategy::kGroup);
  EXPECT_EQ(groups.activations.group_size, 64);
  const QuantScheme fixed = parse_scheme("w8a8-static");
  EXPECT_EQ(fixed.activations.strategy, Strategy::kTensor);
  EXPECT_FALSE(fixed.activations.dynamic);
  EXPECT_EQ(parse_scheme("w4a8g64").weights, parse_scheme("w4g64").weights);
}

TEST(Scheme, UnknownNamesAreToldWhatIsKnownAndWhatIsNear) {
  EXPECT_THAT(refusal("w4g65"), ::testing::HasSubstr("did you mean w4g64?"));
  EXPECT_THAT(refusal("q4k"), ::testing::HasSubstr("did you mean q4_k?"));
  EXPECT_THAT(refusal("int\x1b[31m"), ::testing::HasSubstr("\\x1b"));
  for (const char* name :
       {"", "w", "w4", "w4g", "w4g0", "w9g64", "w1c", "w4g64-", "w4g64-asymx", "w4a8", "w8a8-asym",
        "w4c64", "w4g64 ", "w4g99999999999999999999", "w4g-64", "nf4", "w8a8g64-static"})
    EXPECT_THAT(refusal(name), ::testing::HasSubstr("known: fp32")) << name;
}

TEST(Scheme, AGroupThatDoesNotDivideTheRowShrinks) {
  const auto fitted = [](const char* name, std::int64_t cols) {
    return scheme_name(fit_to_row(parse_scheme(name).weights, cols));
  };
  EXPECT_EQ(fitted("w4g128", 576), "w4g64");
  EXPECT_EQ(fitted("w4g64", 576), "w4g64");
  EXPECT_EQ(fitted("w4g256", 128), "w4g128");
  EXPECT_EQ(fitted("w4g64-asym", 48), "w4g16-asym");
  EXPECT_EQ(fitted("w4g16", 72), "w4c");
  EXPECT_EQ(fitted("w4g32", 64 + 8), "w4c");
  EXPECT_EQ(fitted("w8c", 37), "w8c");
  EXPECT_EQ(fitted("w8a8g64", 37), "w8a8");
  EXPECT_EQ(fitted("q4_k", 512), "q4_k");
  EXPECT_EQ(fitted("q4_k", 576), "q5_0");
  EXPECT_EQ(fitted("q6_k", 576), "q8_0");
  EXPECT_EQ(fitted("q3_k", 64), "iq4_nl");
  EXPECT_EQ(fitted("q4_0", 576), "q4_0");
  EXPECT_EQ(fitted("q4_0", 37), "fp16");
}

TEST(Scheme, ActivationsFollowTheBitsOfTheWeights) {
  const auto mode = [](const char* name) { return parse_scheme(name).activations.mode; };
  EXPECT_EQ(mode("bf16"), ActivationMode::kF32);
  EXPECT_EQ(mode("w8c"), ActivationMode::kInt16);
  EXPECT_EQ(mode("w6g64"), ActivationMode::kInt16);
  EXPECT_EQ(mode("w5g64"), ActivationMode::kInt8);
  EXPECT_EQ(mode("w4g64-asym"), ActivationMode::kInt8);
  EXPECT_EQ(mode("q4_1"), ActivationMode::kInt16);  // whatever their bits: docs/adr/0030
  EXPECT_EQ(mode("q2_k"), ActivationMode::kInt16);
  EXPECT_EQ(mode("q6_k"), ActivationMode::kInt16);
  EXPECT_EQ(mode("nf4g64"), ActivationMode::kF32);
  EXPECT_EQ(parse_scheme("w4g32").activations.group_size, 32);
  EXPECT_EQ(parse_scheme("w4g256").activations.group_size, 64);
  EXPECT_EQ(parse_scheme("w4c").activations.group_size, 64);
  const ActivationMode wanted = ActivationMode::kBf16;
  EXPECT_EQ(resolve_activations(parse_scheme("w4g64").weights, &wanted).mode, wanted);
}

TEST(Scheme, ActivationModesHaveNames) {
  for (const char* name : {"fp32", "bf16", "int16", "int8"})
    EXPECT_EQ(activation_name(parse_activation_mode(name)), name);
  EXPECT_THROW(parse_activation_mode("auto"), Error);
}

TEST(Scheme, BitsPerWeightCountScalesAndZeroPoints) {
  const auto bits = [](const char* name, std::int64_t cols) {
    return bits_per_weight(parse_scheme(name).weights, cols);
  };
  EXPECT_DOUBLE_EQ(bits("fp32", 64), 32);
  EXPECT_DOUBLE_EQ(bits("bf16", 64), 16);
  EXPECT_DOUBLE_EQ(bits("w4g64", 576), 4.25);
  EXPECT_DOUBLE_EQ(bits("w4g128-asym", 1024), 4 + (16 + 4) / 128.0);
  EXPECT_DOUBLE_EQ(bits("w4g64-asymf", 1024), 4.5);
  EXPECT_DOUBLE_EQ(bits("w3g32", 1024), 3.5);
  EXPECT_DOUBLE_EQ(bits("w8c", 1024), 8 + 16 / 1024.0);
  EXPECT_DOUBLE_EQ(bits("w8a8", 1024), 8 + 16 / 1024.0);
}

}  // namespace
}  // namespace farthing
