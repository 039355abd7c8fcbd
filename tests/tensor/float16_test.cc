#include "tensor/float16.h"

#include <gtest/gtest.h>

#include <cmath>

namespace farthing {
namespace {

TEST(Float16, EveryFp16NumberSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Fp16 half{static_cast<std::uint16_t>(bits)};
    const float wide = to_float(half);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(to_fp16(wide).bits, half.bits) << bits;
#if defined(__FLT16_MANT_DIG__)
    ASSERT_EQ(static_cast<float>(std::bit_cast<_Float16>(half.bits)), wide);
#endif
  }
}

TEST(Float16, EveryBf16NumberSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Bf16 brain{static_cast<std::uint16_t>(bits)};
    if (std::isnan(to_float(brain))) continue;
    ASSERT_EQ(to_bf16(to_float(brain)).bits, brain.bits) << bits;
  }
}

TEST(Float16, NarrowingRoundsToNearestEven) {
  EXPECT_EQ(to_fp16(1.0f + 0x1p-11f).bits, to_fp16(1.0f).bits);  // a tie goes to even
  EXPECT_EQ(to_fp16(1.0f + 0x1.8p-10f).bits, to_fp16(1.0f + 0x1p-9f).bits);
  EXPECT_EQ(to_fp16(65519.0f).bits, 0x7BFFu);
  EXPECT_EQ(to_fp16(65520.0f).bits, 0x7C00u);
  EXPECT_EQ(to_fp16(0x1p-25f).bits, 0u);
  EXPECT_EQ(to_fp16(0x1.8p-25f).bits, 1u);
  EXPECT_EQ(to_bf16(1.0f + 0x1p-8f).bits, to_bf16(1.0f).bits);
  EXPECT_EQ(to_bf16(NAN).bits & 0x7FFFu, 0x7FC0u);
}

TEST(Float16, Fp8HasTheLimitsOfTheStandard) {
  EXPECT_EQ(to_float(Fp8E4m3{0x7E}), 448.0f);
  EXPECT_EQ(to_float(Fp8E4m3{0x01}), 0x1p-9f);
  EXPECT_TRUE(std::isnan(to_float(Fp8E4m3{0x7F})));
}

}  // namespace
}  // namespace farthing
