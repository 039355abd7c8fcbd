#include "cache/paged_kv.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"

namespace farthing::cache {
namespace {

using kernels::kPageTokens;
constexpr kernels::KvLayout kLayout{.type = kernels::KvType::kF32, .kv_heads = 2, .head_dim = 4};

TEST(PagedKv, TakesPagesAsASequenceGrowsAndGivesThemBack) {
  PagedKv kv(kLayout, {0, 0});
  const int a = kv.open();
  kv.extend(a, 1);
  EXPECT_EQ(kv.bytes(), 2 * kLayout.page_bytes());
  kv.extend(a, kPageTokens);
  EXPECT_EQ(kv.bytes(), 2 * kLayout.page_bytes());
  kv.extend(a, kPageTokens + 1);
  EXPECT_EQ(kv.bytes(), 4 * kLayout.page_bytes());
  kv.truncate(a, 5);
  EXPECT_EQ(kv.bytes(), 2 * kLayout.page_bytes());
  EXPECT_EQ(kv.length(a), 5);
  kv.close(a);
  EXPECT_EQ(kv.bytes(), 0u);
  EXPECT_EQ(kv.open(), a);  // the handle is used again
}

TEST(PagedKv, ForksShareThePastAndCopyOnlyThePageTheyWriteTo) {
  PagedKv kv(kLayout, {0});
  const int a = kv.open();
  kv.extend(a, kPageTokens + 3);
  std::memset(kv.page(0, a, kPageTokens), 7, kLayout.page_bytes());
  const int b = kv.fork(a);
  EXPECT_EQ(kv.bytes(), 2 * kLayout.page_bytes());
  kv.extend(b, kPageTokens + 4);
  EXPECT_EQ(kv.bytes(), 3 * kLayout.page_bytes());
  EXPECT_EQ(kv.page(0, a, 0), kv.page(0, b, 0));
  EXPECT_NE(kv.page(0, a, kPageTokens), kv.page(0, b, kPageTokens));
  EXPECT_EQ(
      std::memcmp(kv.page(0, a, kPageTokens), kv.page(0, b, kPageTokens), kLayout.page_bytes()), 0);
  kv.close(a);
  EXPECT_EQ(kv.bytes(), 2 * kLayout.page_bytes());
  kv.close(b);
  EXPECT_EQ(kv.bytes(), 0u);
}

TEST(PagedKv, LayersWithAWindowGiveBackWhatNoTokenSees) {
  constexpr std::int64_t kWindow = 10;
  PagedKv kv(kLayout, {0, kWindow});
  const int a = kv.open();
  for (Position length = 1; length <= 5 * kPageTokens; ++length) kv.extend(a, length);
  const auto full = kv.pages(0, a), windowed = kv.pages(1, a);
  EXPECT_EQ(full.size(), 5u);
  for (auto* page : full) EXPECT_NE(page, nullptr);
  EXPECT_EQ(windowed.size(), 5u);
  for (std::size_t p = 0; p < 4; ++p) EXPECT_EQ(windowed[p], nullptr) << p;
  EXPECT_NE(windowed[4], nullptr);
  EXPECT_EQ(kv.bytes(), 6 * kLayout.page_bytes());
}

TEST(PagedKv, SaysSoWhenTheCapacityIsReached) {
  PagedKv kv(kLayout, {0, 0}, 2 * kPageTokens);
  const int a = kv.open();
  kv.extend(a, 2 * kPageTokens);
  try {
    kv.extend(a, 2 * kPageTokens + 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kResources);
  }
}

}  // namespace
}  // namespace farthing::cache
