#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "core/error.h"
#include "tests/kernels/attention_cache.h"
#include "tests/kernels/levels.h"

namespace farthing::kernels {
namespace {

constexpr KvType kAllTypes[] = {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kInt8,
                                KvType::kInt4};

// Values are of the order of 1; float sums of a few hundred of them keep 1e-5.
constexpr double kTolerance = 2e-5;
// A weight that lies between two integers may be rounded to the other: values are within 2.
constexpr double kIntegerTolerance = kTolerance + 2.0 / 32639;

void expect_near(const std::vector<float>& got, const std::vector<double>& want,
                 double tolerance = kTolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(std::isfinite(got[i])) << "number " << i;
    ASSERT_NEAR(static_cast<double>(got[i]), want[i], tolerance) << "number " << i;
  }
}

void expect_near_oracle(TestSequence& sequence, Runtime& runtime, const AttentionRules& rules,
                        std::int64_t first, std::int64_t count) {
  const auto got = sequence.run(runtime, rules, first, count);  // first: it rounds what is stored
  const bool integers = sequence.layout().type == KvType::kInt8;
  expect_near(got, sequence.expected(first, count), integers ? kIntegerTolerance : kTolerance);
}

TEST(Attention, EqualsTheOracleForEveryTypeHeadSizeAndLevel) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (KvType type : kAllTypes)
      for (int dim : {1, 3, 5, 20, 64, 80, 96, 128, 256}) {
        SCOPED_TRACE(std::string(isa_name(isa)) + " " + std::string(kv_type_name(type)) + " dim " +
                     std::to_string(dim));
        Random random(7);
        const KvLayout layout{type, 2, dim};
        const AttentionRules rules{.heads = 6, .scale = 1.5f / std::sqrt(static_cast<float>(dim))};
        TestSequence sequence(layout, rules, 70, random);
        expect_near_oracle(sequence, runtime, rules, 0, 70);
      }
  }
}

TEST(Attention, EqualsTheOracleAtPageBorders) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (int length : {1, 31, 32, 33, 64, 65, 255, 256, 257, 600}) {
      SCOPED_TRACE(length);
      Random random(static_cast<std::uint64_t>(length));
      const AttentionRules rules{.heads = 4, .scale = 0.3f};
      TestSequence sequence({KvType::kF16, 4, 20}, rules, length, random);
      sequence.store(0, length - 1);
      expect_near_oracle(sequence, runtime, rules, length - 1, 1);
    }
  }
}

// Heads share keys in groups of every size: each has its own blocking of rows and pages.
TEST(Attention, EqualsTheOracleForEverySizeOfGroup) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (KvType type : kAllTypes)
      for (int group : {1, 2, 3, 4, 5, 6, 7, 8, 9, 71}) {
        SCOPED_TRACE(std::string(isa_name(isa)) + " " + std::string(kv_type_name(type)) +
                     " group " + std::to_string(group));
        Random random(19);
        const AttentionRules rules{.heads = 2 * group, .scale = 0.25f};
        TestSequence sequence({type, 2, 37}, rules, 290, random);
        sequence.store(0, 287);
        expect_near_oracle(sequence, runtime, rules, 287, 3);
      }
  }
}

TEST(Attention, TakesTheLargestHeads) {
  Runtime runtime(2);
  for (KvType type : kAllTypes)
    for (int dim : {512, 1024}) {
      Random random(23);
      const AttentionRules rules{.heads = 3, .scale = 0.05f};
      TestSequence sequence({type, 1, dim}, rules, 100, random);
      sequence.store(0, 60);
      expect_near_oracle(sequence, runtime, rules, 60, 40);
    }
}

TEST(Attention, EqualsTheOracleForAnyNumberOfTokensAndEnds) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (KvType type : {KvType::kF16, KvType::kInt8})
      for (int count = 1; count <= 17; ++count)
        for (int first : {0, 240, 255, 256}) {
          SCOPED_TRACE(std::string(isa_name(isa)) + " " + std::string(kv_type_name(type)) + " " +
                       std::to_string(count) + " tokens from " + std::to_string(first));
          Random random(29);
          const AttentionRules rules{.heads = 3, .scale = 0.25f};
          TestSequence sequence({type, 1, 18}, rules, first + count, random);
          sequence.store(0, first);
          expect_near_oracle(sequence, runtime, rules, first, count);
        }
  }
}

// Every code is 127 or -127, and every sum of products as large as sums get.
TEST(Attention, KeepsTheLargestSumsOfIntegers) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (int dim : {64, 1024})
      for (float sign : {1.0f, -1.0f}) {
        SCOPED_TRACE(std::string(isa_name(isa)) + " dim " + std::to_string(dim));
        Random random(31);
        const AttentionRules rules{.heads = 4, .scale = 1.0f / static_cast<float>(dim)};
        TestSequence sequence({KvType::kInt8, 1, dim}, rules, 520, random);
        const auto flatten = [&](std::vector<float>& numbers, float size) {
          for (float& x : numbers) x = size;
        };
        flatten(sequence.keys(), sign * 1.5f);
        flatten(sequence.values(), -1.75f);
        flatten(sequence.queries, 2.5f);
        for (std::size_t i = 1; i < sequence.values().size(); i += 2) sequence.values()[i] = 1.75f;
        sequence.store(0, 510);
        expect_near_oracle(sequence, runtime, rules, 510, 10);
      }
  }
}

TEST(Attention, OfZerosIsTheMeanOfValuesOrZero) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (KvType type : kAllTypes)
      for (int zeros : {1, 2, 4, 7}) {  // bits: queries, keys, values
        SCOPED_TRACE(std::string(isa_name(isa)) + " " + std::string(kv_type_name(type)) +
                     " zeros " + std::to_string(zeros));
        Random random(37);
        const AttentionRules rules{.heads = 2, .scale = 0.5f};
        TestSequence sequence({type, 1, 20}, rules, 280, random);
        const auto clear = [](std::vector<float>& numbers) {
          std::fill(numbers.begin(), numbers.end(), 0.0f);
        };
        if ((zeros & 1) != 0) clear(sequence.queries);
        if ((zeros & 2) != 0) clear(sequence.keys());
        if ((zeros & 4) != 0) clear(sequence.values());
        sequence.store(0, 270);
        expect_near_oracle(sequence, runtime, rules, 270, 10);
      }
  }
}

TEST(Attention, TakesHugeAndTinyQueries) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (float size : {1e30f, 1e-20f}) {
      Random random(41);
      const AttentionRules rules{.heads = 2, .scale = 0.5f / size};
      TestSequence sequence({KvType::kInt8, 1, 20}, rules, 280, random);
      for (float& x : sequence.queries) x *= size;
      sequence.store(0, 270);
      expect_near_oracle(sequence, runtime, rules, 270, 10);
    }
  }
}

TEST(Attention, WhatIsNotANumberShowsWhereItIsSeenAndOnlyThere) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (float bad : {NAN, INFINITY})
      for (int where = 0; where < 3; ++where) {  // a key, a value, a query
        SCOPED_TRACE(std::string(isa_name(isa)) + " " + std::to_string(where));
        Random random(43);
        const AttentionRules rules{.heads = 1, .scale = 0.5f};
        constexpr std::size_t kDim = 20, kAt = 5;  // token 5 of 9 from position 260
        TestSequence sequence({KvType::kInt8, 1, kDim}, rules, 269, random);
        (where == 0   ? sequence.keys()
         : where == 1 ? sequence.values()
                      : sequence.queries)[(260 + kAt) * kDim + 3] = bad;
        sequence.store(0, 260);
        const auto out = sequence.run(runtime, rules, 260, 9);
        for (std::size_t token = 0; token < 9; ++token)
          for (std::size_t d = 0; d < kDim; ++d)
            ASSERT_EQ(std::isnan(out[token * kDim + d]), where == 2 ? token == kAt : token >= kAt)
                << "token " << token;
      }
  }
}

TEST(Attention, EqualsTheOracleWithWindowsCapsSlopesAndSinks) {
  const std::vector<float> slopes = {0.5f, 0.25f, 0.125f, 0.0625f};
  const std::vector<float> sinks = {-1.0f, 0.0f, 2.0f, 30.0f};
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (std::int64_t window : {0, 1, 2, 31, 33, 100, 1000})
      for (bool capped : {false, true})
        for (bool sloped : {false, true})
          for (bool sunk : {false, true}) {
            SCOPED_TRACE("window " + std::to_string(window) + (capped ? " cap" : "") +
                         (sloped ? " slopes" : "") + (sunk ? " sinks" : ""));
            AttentionRules rules{.heads = 4, .scale = 0.4f, .window = window};
            if (capped) rules.soft_cap = 1.5f;
            if (sloped) rules.slopes = slopes;
            if (sunk) rules.sinks = sinks;
            for (KvType type : {KvType::kF32, KvType::kInt8}) {
              Random random(11);
              TestSequence sequence({type, 2, 24}, rules, 300, random);
              sequence.store(0, 260);
              expect_near_oracle(sequence, runtime, rules, 260, 40);
            }
          }
  }
}

TEST(Attention, RoundsTheSlopesOfFalconAsItWasTrained) {
  const std::vector<float> slopes = {0.8408964f, 0.5946036f, 0.0131390f, 0.0039063f};
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    const AttentionRules rules{
        .heads = 4, .scale = 0.4f, .slopes = slopes, .rounded_slope_scale = 0.2f};
    Random random(12);
    TestSequence sequence({KvType::kF32, 2, 24}, rules, 600, random);
    sequence.store(0, 560);
    expect_near_oracle(sequence, runtime, rules, 560, 40);
    const std::vector<double> rounded = sequence.expected(560, 40);
    AttentionRules exact = rules;
    exact.rounded_slope_scale = 0;
    const std::vector<float> fifths = {0.1681793f, 0.1189207f, 0.0026278f, 0.0007813f};
    exact.slopes = fifths;
    Random again(12);
    TestSequence other({KvType::kF32, 2, 24}, exact, 600, again);
    other.store(0, 560);
    const std::vector<double> smooth = other.expected(560, 40);
    double apart = 0;
    for (std::size_t i = 0; i < smooth.size(); ++i)
      apart = std::max(apart, std::abs(smooth[i] - rounded[i]));
    EXPECT_GT(apart, 1e-3) << "the rounding does not matter here, so nothing was tested";
  }
}

TEST(Attention, NeverTouchesPagesThatLieBeforeTheWindow) {
  Runtime runtime(2);
  for (std::int64_t window : {1, 5, 32, 40, 300}) {
    Random random(3);
    const AttentionRules rules{.heads = 2, .scale = 0.2f, .window = window};
    TestSequence sequence({KvType::kInt8, 1, 16}, rules, 700, random);
    sequence.store(0, 700);
    const auto want = sequence.expected(650, 50);
    for (std::int64_t p = 0; (p + 1) * kPageTokens <= 650 - window + 1; ++p)
      sequence.pages[static_cast<std::size_t>(p)] = nullptr;
    const std::int64_t cols = sequence.columns();
    std::vector<float> out(static_cast<std::size_t>(50 * cols));
    const AttentionSequence part = sequence.tokens(0, 650, 50);
    attend(runtime, {KvType::kInt8, 1, 16}, rules, {&part, 1},
           {sequence.queries.data() + 650 * cols, 50, cols}, {out.data(), 50, cols});
    expect_near(out, want, kIntegerTolerance);
  }
}

TEST(Attention, GivesTheSameBitsHoweverThePromptIsCutAndOnAnyNumberOfThreads) {
  for (Isa isa : attention_levels())
    for (KvType type : kAllTypes) {
      const AttentionRules rules{.heads = 6, .scale = 0.5f, .window = 290};
      const auto run = [&](int threads, std::vector<std::int64_t> cuts) {
        Runtime runtime(threads, runnable_isas().up_to(isa));
        Random random(5);
        TestSequence sequence({type, 2, 20}, rules, 330, random);
        std::vector<float> all;
        std::int64_t first = 0;
        for (std::int64_t cut : cuts) {
          const auto part = sequence.run(runtime, rules, first, cut - first);
          all.insert(all.end(), part.begin(), part.end());
          first = cut;
        }
        return all;
      };
      const auto whole = run(2, {330});
      std::vector<std::int64_t> singles(330);
      for (std::size_t i = 0; i < singles.size(); ++i)
        singles[i] = static_cast<std::int64_t>(i) + 1;
      EXPECT_EQ(whole, run(1, {330}));
      EXPECT_EQ(whole, run(2, {1, 3, 32, 33, 100, 257, 330}));
      EXPECT_EQ(whole, run(3, singles));
    }
}

TEST(Attention, GivesTheSameBitsOnEveryInstructionSet) {
  for (KvType type : kAllTypes)
    for (int dim : {1, 3, 5, 20, 64, 80, 96}) {
      const std::vector<float> slopes = {0.5f, 0.25f, 0.1f, 0.06f}, sinks = {-1, 0, 1, 2};
      const AttentionRules rules{
          .heads = 4, .scale = 0.5f, .soft_cap = 3.0f, .slopes = slopes, .sinks = sinks};
      std::vector<float> first;
      for (Isa isa : attention_levels()) {
        Runtime runtime(2, runnable_isas().up_to(isa));
        Random random(6);
        TestSequence sequence({type, 2, dim}, rules, 300, random);
        sequence.store(0, 250);
        const auto out = sequence.run(runtime, rules, 250, 50);
        if (first.empty()) first = out;
        EXPECT_EQ(first, out) << isa_name(isa);
      }
    }
}

TEST(Attention, OfARaggedBatchEqualsThatOfEachSequenceAlone) {
  Runtime runtime(2);
  for (KvType type : {KvType::kF16, KvType::kInt8}) {
    const KvLayout layout{type, 2, 16};
    const AttentionRules rules{.heads = 8, .scale = 0.3f};
    const std::vector<std::pair<std::int64_t, std::int64_t>> cuts = {{0, 1},   {0, 37},  {63, 1},
                                                                     {500, 3}, {31, 70}, {0, 0}};
    std::vector<TestSequence> sequences;
    std::vector<AttentionSequence> batch;
    std::vector<float> q, want;
    std::int64_t rows = 0;
    Random random(9);
    for (auto [first, count] : cuts) sequences.emplace_back(layout, rules, first + count, random);
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      const auto [first, count] = cuts[i];
      auto& sequence = sequences[i];
      sequence.store(0, first);
      const auto alone = sequence.run(runtime, rules, first, count);
      want.insert(want.end(), alone.begin(), alone.end());
      const float* at = sequence.queries.data() + first * sequence.columns();
      q.insert(q.end(), at, at + count * sequence.columns());
      batch.push_back(sequence.tokens(rows, first, count));
      rows += count;
    }
    std::vector<float> out(want.size());
    const std::int64_t cols = sequences[0].columns();
    attend(runtime, layout, rules, batch, {q.data(), rows, cols}, {out.data(), rows, cols});
    EXPECT_EQ(out, want);
  }
}

TEST(Attention, StaysFiniteWhenScoresAreHuge) {
  for (Isa isa : attention_levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (float scale : {1e4f, -1e4f}) {
      Random random(13);
      const AttentionRules rules{.heads = 2, .scale = scale};
      TestSequence sequence({KvType::kF32, 1, 8}, rules, 300, random);
      sequence.store(0, 299);
      const auto out = sequence.run(runtime, rules, 299, 1);
      for (float x : out) EXPECT_TRUE(std::isfinite(x));
      expect_near(out, sequence.expected(299, 1), 0.05);  // score errors of 1e-2 near the largest
    }
  }
}

TEST(Attention, ReadsAndWritesRowsWithAStride) {
  Runtime runtime(2);
  Random random(17);
  const AttentionRules rules{.heads = 2, .scale = 0.3f};
  TestSequence sequence({KvType::kBf16, 2, 12}, rules, 40, random);
  const auto want = sequence.run(runtime, rules, 0, 40);
  std::vector<float> q(40 * 31, NAN), out(40 * 29, -5.0f);
  for (std::size_t r = 0; r < 40; ++r)
    std::copy_n(sequence.queries.begin() + static_cast<std::ptrdiff_t>(r * 24), 24,
                q.begin() + static_cast<std::ptrdiff_t>(r * 31));
  const AttentionSequence part = sequence.tokens(0, 0, 40);
  attend(runtime, {KvType::kBf16, 2, 12}, rules, {&part, 1}, {q.data(), 40, 24, 31},
         {out.data(), 40, 24, 29});
  for (std::size_t r = 0; r < 40; ++r) {
    for (std::size_t c = 0; c < 24; ++c) ASSERT_EQ(out[r * 29 + c], want[r * 24 + c]);
    for (std::size_t c = 24; c < 29; ++c) ASSERT_EQ(out[r * 29 + c], -5.0f);
  }
}

}  // namespace
}  // namespace farthing::kernels
