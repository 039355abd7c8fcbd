#include "compress/setting_sweep.h"

#include <gmock/gmock.h>

#include "compress/step.h"
#include "core/error.h"

namespace farthing::compress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Recipe recipe_of(const std::string& method) {
  Recipe recipe;
  recipe.layers.push_back(make_rule("re:.*", "w4g64", "--scheme"));
  recipe.steps = steps_of_method(method);
  return recipe;
}

std::vector<SweepPoint> points(const std::string& method, const std::string& sweep) {
  return sweep_points(recipe_of(method), parse_sweep(sweep));
}

std::string refusal(const std::string& method, const std::string& sweep) {
  try {
    points(method, sweep);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Sweep, ReadsRangesWithBothEndsAndLists) {
  const auto axes = parse_sweep("alpha=0.3:0.9:0.1,gptq.order=activation|groups");
  ASSERT_EQ(axes.size(), 2u);
  EXPECT_THAT(axes[0].values, ElementsAre("0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"));
  EXPECT_EQ(axes[1].step, "gptq");
  EXPECT_THAT(axes[1].values, ElementsAre("activation", "groups"));
}

TEST(Sweep, MakesEveryCombinationTheLastAxisFastest) {
  const auto all = points("smooth+gptq", "alpha=0.5|auto,damping=0.01:0.03:0.01");
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[0].name(), "alpha=0.5 damping=0.01");
  EXPECT_EQ(all[4].name(), "alpha=auto damping=0.02");
  EXPECT_EQ(all[4].recipe.steps[0].options.find("alpha")->text, "auto");
  EXPECT_EQ(all[4].recipe.steps[1].options.find("damping")->text, "0.02");
}

TEST(Sweep, SetsWhatIsNoStepsOption) {
  const auto all = points("gptq", "scheme=w3g64|w4g32,seed=1|2,samples=8");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[3].recipe.layers[0].scheme_text, "w4g32");
  EXPECT_EQ(all[3].recipe.seed, 2);
  EXPECT_EQ(all[3].recipe.calibration->seed, 2);
  EXPECT_EQ(all[3].recipe.calibration->samples, 8);
}

TEST(Sweep, ReplacesStepsBeforeItSetsTheirOptions) {
  const auto all = points("rtn", "damping=0.1,method=gptq|awq+gptq");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].recipe.steps.size(), 2u);
  EXPECT_EQ(all[1].recipe.steps[1].options.find("damping")->text, "0.1");
}

TEST(Sweep, RefusesWhatItCannotDo) {
  EXPECT_THAT(refusal("gptq", "alpha=0.5"), HasSubstr("is an option of smooth"));
  EXPECT_THAT(refusal("gptq", "dampin=0.5"), HasSubstr("did you mean damping?"));
  EXPECT_THAT(refusal("smooth+gptq", "range=search"), HasSubstr("write smooth.range"));
  EXPECT_THAT(refusal("gptq", "damping"), HasSubstr("must be SETTING=VALUES"));
  EXPECT_THAT(refusal("gptq", "damping=0.1|"), HasSubstr("a value is empty"));
  EXPECT_THAT(refusal("gptq", "damping=0.3:0.1:0.1"), HasSubstr("a range goes up"));
  EXPECT_THAT(refusal("gptq", "damping=0:1:1e-9"), HasSubstr("at most 1000 values"));
  EXPECT_THAT(refusal("gptq", "damping=0:x:1"), HasSubstr("in numbers; got x"));
  EXPECT_THAT(refusal("gptq", "damping=0.1,damping=0.2"), HasSubstr("twice"));
  EXPECT_THAT(refusal("gptq", "damping=0:1:0.01,seed=0:99:1"), HasSubstr("more than 1000"));
  EXPECT_THAT(refusal("gptq", "damping=11"), HasSubstr("damping of gptq must be from 0 to 10"));
  EXPECT_THAT(refusal("gptq", "scheme=w9g64"), HasSubstr("unknown scheme"));
}

}  // namespace
}  // namespace farthing::compress
