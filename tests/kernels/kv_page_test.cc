#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tensor/float16.h"
#include "tests/kernels/attention_cache.h"

namespace farthing::kernels {
namespace {

constexpr KvType kAllTypes[] = {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kInt8,
                                KvType::kInt4};

struct Pair {
  std::vector<float> before, after;
};
// Keys then values of a full page, stored and read back.
Pair round_trip(const KvLayout& layout, double spread) {
  Random random(21);
  const auto row = static_cast<std::size_t>(layout.kv_heads * layout.head_dim);
  Pair pair{random_floats(random, 2 * kPageTokens * row, spread), {}};
  pair.after.resize(pair.before.size());
  AlignedArray<std::byte> page(layout.page_bytes());
  for (int slot = kPageTokens - 1; slot >= 0; --slot) {
    const float* k = pair.before.data() + 2 * static_cast<std::size_t>(slot) * row;
    store_kv(layout, page.data(), slot, k, k + row);
  }
  for (int slot = 0; slot < kPageTokens; ++slot) {
    float* k = pair.after.data() + 2 * static_cast<std::size_t>(slot) * row;
    load_kv(layout, page.data(), slot, k, k + row);
  }
  return pair;
}

TEST(KvPage, FloatTypesKeepWhatTheirRoundingKeeps) {
  for (int dim : {1, 3, 20, 64, 129}) {
    const Pair f32 = round_trip({KvType::kF32, 3, dim}, 1.0);
    EXPECT_EQ(f32.before, f32.after);
    const Pair bf16 = round_trip({KvType::kBf16, 3, dim}, 1.0);
    for (std::size_t i = 0; i < bf16.before.size(); ++i)
      ASSERT_EQ(bf16.after[i], to_float(to_bf16(bf16.before[i])));
    const Pair f16 = round_trip({KvType::kF16, 3, dim}, 1.0);
    for (std::size_t i = 0; i < f16.before.size(); ++i)
      ASSERT_EQ(f16.after[i], to_float(to_fp16(f16.before[i])));
  }
}

// The grid of INT8 is largest / 127 and rounding is half a step of it. That of INT4 is largest / 8
// with code -8 for the largest; only what lies beyond code 7 on the other side may lose a step.
TEST(KvPage, IntegerTypesErrByHalfAStepOfTheirOwnScale) {
  for (KvType type : {KvType::kInt8, KvType::kInt4})
    for (double spread : {1e-3, 1.0, 1e4})
      for (int dim : {1, 3, 20, 64, 129}) {
        const Pair pair = round_trip({type, 2, dim}, spread);
        for (std::size_t first = 0; first < pair.before.size();
             first += static_cast<std::size_t>(dim)) {
          float largest = 0;
          for (std::size_t i = first; i < first + static_cast<std::size_t>(dim); ++i)
            if (std::fabs(pair.before[i]) > std::fabs(largest)) largest = pair.before[i];
          const float step = std::fabs(largest) / (type == KvType::kInt8 ? 127.0f : 8.0f);
          for (std::size_t i = first; i < first + static_cast<std::size_t>(dim); ++i) {
            const bool clipped =
                type == KvType::kInt4 && pair.before[i] * (largest > 0 ? 1 : -1) < -7.5f * step;
            ASSERT_LE(std::fabs(pair.after[i] - pair.before[i]),
                      step * (clipped ? 1.0f : 0.5f) * 1.0001f);
          }
        }
      }
}

TEST(KvPage, ZerosAndTinyNumbersStayTame) {
  for (KvType type : kAllTypes)
    for (float x : {0.0f, 1e-38f, -1e-41f}) {
      const KvLayout layout{type, 1, 5};
      AlignedArray<std::byte> page(layout.page_bytes());
      const std::vector<float> in(5, x);
      std::vector<float> k(5), v(5);
      store_kv(layout, page.data(), 3, in.data(), in.data());
      load_kv(layout, page.data(), 3, k.data(), v.data());
      for (float y : k) EXPECT_NEAR(y, 0.0f, 1e-30f);
    }
}

TEST(KvPage, Fp16KeepsLargeNumbersFinite) {
  const KvLayout layout{KvType::kF16, 1, 3};
  AlignedArray<std::byte> page(layout.page_bytes());
  const std::vector<float> in = {1e6f, -65520.0f, 65504.0f};
  std::vector<float> k(3), v(3);
  store_kv(layout, page.data(), 0, in.data(), in.data());
  load_kv(layout, page.data(), 0, k.data(), v.data());
  EXPECT_EQ(k, (std::vector<float>{65504.0f, -65504.0f, 65504.0f}));
}

TEST(KvPage, ANumberThatIsNotFiniteDoesNotHideInIntegers) {
  for (KvType type : {KvType::kInt8, KvType::kInt4})
    for (float bad : {NAN, INFINITY}) {
      const KvLayout layout{type, 1, 3};
      AlignedArray<std::byte> page(layout.page_bytes());
      const std::vector<float> in = {1.0f, bad, 2.0f};
      std::vector<float> k(3), v(3);
      store_kv(layout, page.data(), 0, in.data(), in.data());
      load_kv(layout, page.data(), 0, k.data(), v.data());
      EXPECT_TRUE(std::isnan(k[0]));
    }
}

TEST(KvPage, SizesAreWholeCacheLinesAndCloseToTheNumbersTheyHold) {
  for (KvType type : kAllTypes)
    for (int dim : {1, 3, 64, 80, 128, 512}) {
      const KvLayout layout{type, 3, dim};
      EXPECT_EQ(layout.page_bytes() % 64, 0u);
    }
  const auto token = [](KvType type) { return KvLayout{type, 4, 64}.bytes_per_token(); };
  EXPECT_EQ(token(KvType::kF32), 2u * 4 * 64 * 4);
  EXPECT_EQ(token(KvType::kF16), 2u * 4 * 64 * 2);
  EXPECT_EQ(token(KvType::kInt8), 2u * 4 * (64 + 4));
  EXPECT_EQ(token(KvType::kInt4), 2u * 4 * (32 + 4));
}

TEST(KvPage, TypesAreFoundByName) {
  for (KvType type : kAllTypes) EXPECT_EQ(parse_kv_type(kv_type_name(type)), type);
  EXPECT_THROW(parse_kv_type("fp8"), Error);
}

}  // namespace
}  // namespace farthing::kernels
