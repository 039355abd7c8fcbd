#include "bench/compare.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace farthing::bench {
namespace {

using ::testing::HasSubstr;

TEST(SameChance, IsTheExactTestOfMannAndWhitney) {
  const std::vector<double> low = {1, 2, 3}, high = {4, 5, 6};
  // 2 of the 20 ways to deal six values into two hands of three are as far apart.
  EXPECT_NEAR(same_chance(low, high), 0.1, 1e-12);
  EXPECT_NEAR(same_chance(high, low), 0.1, 1e-12);
  // U = 7 of 25: 78 of the 252 ways.
  EXPECT_NEAR(same_chance(std::vector<double>{1, 3, 4, 6, 8}, std::vector<double>{2, 5, 7, 9, 10}),
              78.0 / 252, 1e-12);
  // Seven against seven, wholly apart: 2 of 3432.
  std::vector<double> a, b;
  for (int i = 0; i < 7; ++i) a.push_back(i), b.push_back(i + 10);
  EXPECT_NEAR(same_chance(a, b), 2.0 / 3432, 1e-12);
}

TEST(SameChance, EqualValuesProveNothing) {
  const std::vector<double> same = {5, 5, 5, 5};
  EXPECT_EQ(same_chance(same, same), 1);
  EXPECT_EQ(same_chance({}, same), 1);
}

Json row(double speed, double share, std::string_view test = "tg128") {
  Json speeds = Json::array(), shares = Json::array();
  for (int i = 0; i < 7; ++i) {
    speeds.push_back(speed * (1 + 0.001 * i));
    shares.push_back(share * (1 + 0.001 * i));
  }
  return {{"test", test},
          {"scheme", "w4g64"},
          {"activations", "int8"},
          {"kv", "fp16"},
          {"isa", "avx2"},
          {"batch", 1},
          {"context", 0},
          {"tokens_per_s", {{"median", speed}, {"min", speed}, {"max", speed}}},
          {"share_of_roof", share},
          {"samples", {{"tokens_per_s", speeds}, {"share_of_roof", shares}}}};
}

Json result(const std::vector<Json>& rows) {
  return {{"schema", 1}, {"machine", {{"cpu", "a cpu"}, {"threads", 2}}}, {"rows", rows}};
}

Verdict verdict(const Json& a, const Json& b) {
  const Comparison comparison = compare_results(result({a}), result({b}), "A", "B");
  EXPECT_EQ(comparison.rows.size(), 1u);
  return comparison.rows.at(0).verdict;
}

TEST(Compare, SaysFasterOnlyWhenTheShareOfTheRoofMoved) {
  EXPECT_EQ(verdict(row(100, 0.5), row(120, 0.6)), Verdict::kFaster);
  EXPECT_EQ(verdict(row(120, 0.6), row(100, 0.5)), Verdict::kSlower);
  // The same share of a machine that was slower this time.
  EXPECT_EQ(verdict(row(100, 0.5), row(70, 0.5)), Verdict::kMachineMoved);
  // The machine hides it in the speed, not in the share.
  EXPECT_EQ(verdict(row(100, 0.5), row(100, 0.6)), Verdict::kFaster);
  EXPECT_EQ(verdict(row(100, 0.5), row(80, 0.6)), Verdict::kUnclear);
  // Below two percent nobody cares, however sure it is.
  EXPECT_EQ(verdict(row(100, 0.5), row(101.5, 0.5075)), Verdict::kSame);
}

TEST(Compare, SpreadThatOverlapsIsNoise) {
  Json a = row(100, 0.5), b = row(110, 0.55);
  a["samples"] = {{"tokens_per_s", {80, 95, 100, 120, 125}},
                  {"share_of_roof", {.4, .5, .5, .6, .7}}};
  b["samples"] = {{"tokens_per_s", {85, 90, 110, 118, 130}},
                  {"share_of_roof", {.4, .5, .5, .6, .7}}};
  EXPECT_EQ(verdict(a, b), Verdict::kSame);
}

TEST(Compare, ListsWhatOnlyOneFileHas) {
  const Comparison comparison = compare_results(result({row(1, 1, "pp512"), row(1, 1)}),
                                                result({row(1, 1), row(1, 1, "tg32")}), "A", "B");
  EXPECT_EQ(comparison.rows.size(), 1u);
  ASSERT_EQ(comparison.only_a.size(), 1u);
  EXPECT_THAT(comparison.only_a[0], HasSubstr("pp512"));
  ASSERT_EQ(comparison.only_b.size(), 1u);
  EXPECT_THAT(comparison_text(comparison), HasSubstr("only in B: tg32"));
  EXPECT_EQ(comparison_json(comparison)["rows"].size(), 1u);
}

std::string error_of(const Json& a, const Json& b) {
  try {
    compare_results(a, b, "A.json", "B.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kBadInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Compare, RefusesOtherMachinesAndOtherFiles) {
  Json other = result({row(1, 1)});
  other["machine"]["cpu"] = "another cpu";
  EXPECT_THAT(error_of(result({row(1, 1)}), other), HasSubstr("another cpu"));
  EXPECT_THAT(error_of(result({}), Json::array()), HasSubstr("B.json"));
  EXPECT_THAT(error_of(Json{{"schema", 2}, {"rows", Json::array()}}, result({})),
              HasSubstr("A.json"));
  for (const char* key : {"test", "tokens_per_s"}) {
    Json broken = row(1, 1);
    broken.erase(key);
    error_of(result({broken}), result({broken}));
  }
  Json zero = row(0, 0);
  error_of(result({zero}), result({zero}));
  Json many = row(1, 1);
  many["samples"]["tokens_per_s"] = std::vector<double>(51, 1.0);
  error_of(result({many}), result({many}));
  Json text = row(1, 1);
  text["samples"]["tokens_per_s"] = {"fast"};
  error_of(result({text}), result({text}));
}

}  // namespace
}  // namespace farthing::bench
