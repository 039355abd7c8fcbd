#include "tune/contract.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace farthing::tune {
namespace {

using ::testing::HasSubstr;

evaluate::TextResult result_of(double kld, double half_width) {
  evaluate::TextResult r;
  r.perplexity = 10.1;
  r.tokens = 1000;
  r.against = evaluate::TextResult::Against{};
  r.against->reference_perplexity = 10;
  r.against->top1_agreement = 0.95;
  r.against->kld.mean = kld;
  r.against->interval.kld = {kld - half_width, kld + half_width};
  r.against->interval.perplexity_ratio = {1.005, 1.015};
  r.against->interval.top1_agreement = {0.94, 0.96};
  return r;
}

TEST(Floors, HoldWithTheEndOfTheIntervalNotWithTheMean) {
  EXPECT_TRUE(all_hold(check_floors({.max_kld = 0.02}, result_of(0.018, 0.0019))));
  EXPECT_FALSE(all_hold(check_floors({.max_kld = 0.02}, result_of(0.018, 0.0021))));
  const auto perplexity = [](double most) {
    return all_hold(check_floors({.max_perplexity_increase = most}, result_of(0.01, 0)));
  };
  EXPECT_FALSE(perplexity(0.0149));
  EXPECT_TRUE(perplexity(0.0151));
  EXPECT_FALSE(all_hold(check_floors({.min_top1 = 0.945}, result_of(0.01, 0))));
  EXPECT_TRUE(all_hold(check_floors({.min_top1 = 0.935}, result_of(0.01, 0))));
  // All of several must hold.
  EXPECT_FALSE(all_hold(check_floors({.max_kld = 1, .min_top1 = 0.99}, result_of(0.01, 0))));
}

TEST(Floors, KnowHowMuchRoomTheyLeave) {
  EXPECT_DOUBLE_EQ(check_floors({.max_kld = 0.02}, result_of(0.03, 0.01))[0].room, 0.5);
  // Half of the changed tokens is a quarter of the divergence.
  EXPECT_NEAR(check_floors({.min_top1 = 0.97}, result_of(0.01, 0))[0].room, 0.25, 1e-12);
}

Json some_contract() {
  evaluate::EvalText text;
  text.name = "a.txt";
  text.sha256 = "00ff";
  text.options.context = 64;
  text.windows = {{1, 2}, {3, 4}};
  return contract_json({.floors = {.max_kld = 0.02, .min_top1 = 0.9},
                        .source_sha256 = "aa",
                        .kv = "fp16",
                        .isa = "avx2"},
                       text, result_of(0.01, 0.001));
}

TEST(Contract, IsReadBackAsItWasWritten) {
  const Contract contract = parse_contract(some_contract(), "here");
  EXPECT_EQ(contract.floors.max_kld, 0.02);
  EXPECT_EQ(contract.floors.min_top1, 0.9);
  EXPECT_FALSE(contract.floors.max_perplexity_increase);
  EXPECT_EQ(contract.source_sha256, "aa");
  EXPECT_EQ(contract.text_sha256, "00ff");
  EXPECT_EQ(contract.context, 64);
  EXPECT_EQ(contract.windows, 2);
  EXPECT_EQ(contract.kld, 0.01);
}

TEST(Contract, OfAHostileFileIsRefusedInOneSentence) {
  const auto refused = [](auto edit, std::string_view why) {
    Json json = some_contract();
    edit(json);
    try {
      parse_contract(json, "farthing.json");
      ADD_FAILURE() << why;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kBadInput);
      EXPECT_THAT(error.what(), HasSubstr(why));
      EXPECT_THAT(error.what(), HasSubstr("farthing.json"));
    }
  };
  refused([](Json& j) { j.erase("floor"); }, "must have a floor");
  refused([](Json& j) { j["floor"]["max_kld"] = -1; }, "max_kld must be above 0");
  refused([](Json& j) { j["floor"]["min_top1"] = 2; }, "at most 1");
  refused([](Json& j) { j["floor"]["max_kld"] = "much"; }, "max_kld");
  refused([](Json& j) { j["text"]["windows"] = std::int64_t{1} << 60; }, "windows");
  refused([](Json& j) { j["text"]["context"] = 1; }, "windows must be at least 1");
  refused([](Json& j) { j["text"] = "text"; }, "");
  refused([](Json& j) { j = Json::array(); }, "");
}

}  // namespace
}  // namespace farthing::tune
