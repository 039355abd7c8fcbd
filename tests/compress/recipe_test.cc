#include "compress/recipe.h"

#include <gmock/gmock.h>

#include "compress/step.h"
#include "tests/io/files.h"

namespace farthing::compress {
namespace {

constexpr std::string_view kRecipe = R"(model: some/model
calibration: {text: [books.txt, chat.jsonl], samples: 64, length: 256, seed: 3, first_token: 2.5}
layers:                            # the last match wins
  - {match: "re:.*", scheme: w4g64}
  - {match: "re:.*down_proj$", scheme: w8g32, activations: int16}
  - {match: lm_head, scheme: bf16}
steps:
  - rtn: {range: shrink}
activations: bf16
kv: int8
seed: 11
)";

TEST(Recipe, SaysWhatItsYamlSays) {
  const Recipe recipe = parse_recipe(kRecipe, "r.yaml");
  EXPECT_EQ(recipe.model, "some/model");
  ASSERT_TRUE(recipe.calibration);
  EXPECT_EQ(recipe.calibration->texts, (std::vector<std::string>{"books.txt", "chat.jsonl"}));
  EXPECT_EQ(recipe.calibration->samples, 64);
  EXPECT_EQ(recipe.calibration->length, 256);
  EXPECT_EQ(recipe.calibration->seed, 3);
  EXPECT_EQ(recipe.calibration->first_token, 2.5);
  ASSERT_EQ(recipe.layers.size(), 3u);
  EXPECT_EQ(recipe.layers[1].match, "re:.*down_proj$");
  EXPECT_EQ(recipe.layers[1].scheme, parse_scheme("w8g32"));
  EXPECT_EQ(recipe.layers[1].activations, ActivationMode::kInt16);
  EXPECT_EQ(recipe.layers[1].where, "r.yaml:5");
  ASSERT_EQ(recipe.steps.size(), 1u);
  EXPECT_EQ(recipe.steps[0].name, "rtn");
  EXPECT_EQ(recipe.activations, ActivationMode::kBf16);
  EXPECT_EQ(recipe.kv, "int8");
  EXPECT_EQ(recipe.seed, 11);
}

TEST(Recipe, ItsTextReadsBackAsTheSameRecipe) {
  const Recipe recipe = parse_recipe(kRecipe, "r.yaml");
  const std::string text = recipe_text(recipe);
  const Recipe again = parse_recipe(text, "again.yaml");
  EXPECT_EQ(recipe_text(again), text);
  EXPECT_EQ(again.calibration, recipe.calibration);
  ASSERT_EQ(again.layers.size(), recipe.layers.size());
  for (std::size_t i = 0; i < again.layers.size(); ++i) {
    EXPECT_EQ(again.layers[i].match, recipe.layers[i].match);
    EXPECT_EQ(again.layers[i].scheme, recipe.layers[i].scheme);
    EXPECT_EQ(again.layers[i].activations, recipe.layers[i].activations);
  }
  EXPECT_EQ(again.steps[0].options, recipe.steps[0].options);
  EXPECT_EQ(again.kv, recipe.kv);
  EXPECT_EQ(again.seed, recipe.seed);
}

TEST(Recipe, TextsThatLookLikeSomethingElseSurvive) {
  Recipe recipe;
  for (const char* match : {"true", "8", "a: b", "re:[a-z]{2,}\\.\"x\"", "- x", "#no", "null",
                            "caf\xc3\xa9", "tab\there", "~", "*alias", "&anchor", "!tag", " pad "})
    recipe.layers.push_back(make_rule(match, "w4g64", "test"));
  const Recipe again = parse_recipe(recipe_text(recipe), "again.yaml");
  ASSERT_EQ(again.layers.size(), recipe.layers.size());
  for (std::size_t i = 0; i < again.layers.size(); ++i)
    EXPECT_EQ(again.layers[i].match, recipe.layers[i].match);
}

TEST(Recipe, OptionsOfStepsSurviveHoweverTheyWereWritten) {
  for (const char* option : {"two\n\n   lines", "re:.*k_proj$", "2:4", "0.25", "1e+3", "-1", ".5",
                             "true", "false", "\"8\"", "[a, \"b c\", 3]", "shrink", "~"}) {
    const Recipe recipe =
        parse_recipe(fmt::format("steps:\n  - rtn: {{range: {}}}\n", option), "r");
    const std::string text = recipe_text(recipe);
    const Recipe again = parse_recipe(text, "again.yaml");
    EXPECT_EQ(recipe_text(again), text);
    const Setting &one = *recipe.steps.at(0).options.find("range"),
                  &other = *again.steps.at(0).options.find("range");
    EXPECT_EQ(other, one) << text;
    const auto number = [](const Setting& value) {
      try {
        return number_of(value, "range");
      } catch (const Error&) {
        return -123.0;
      }
    };
    EXPECT_EQ(number(other), number(one)) << text;
    const auto flag = [](const Setting& value) {
      return !value.quoted && (value.text == "true" || value.text == "false");
    };
    EXPECT_EQ(flag(other), flag(one)) << text;
  }
}

TEST(Recipe, JsonIsARecipeToo) {
  const Recipe recipe =
      parse_recipe(R"({"layers": [{"match": "re:.*", "scheme": "w8c"}], "steps": ["hqq"]})", "r");
  EXPECT_EQ(recipe.layers.at(0).scheme_text, "w8c");
  EXPECT_EQ(recipe.steps.at(0).name, "hqq");
}

struct BadRecipe {
  const char* name;
  std::string text, complaint;
};

std::string deep_block() {
  std::string text;
  for (std::size_t i = 0; i < 60; ++i) text += std::string(i, ' ') + "a:\n";
  return text;
}

const BadRecipe kBad[] = {
    {"UnknownKey", "seed: 1\nlayer: []\n", "r.yaml:2: a recipe has no key \"layer\""},
    {"NearestKey", "seed: 1\nlayer: []\n", "did you mean layers?"},
    {"UnknownRuleKey", "layers:\n  - {match: a, schema: w4g64}\n", "did you mean scheme?"},
    {"UnknownScheme", "layers:\n  - match: a\n    scheme: w4g46\n", "r.yaml:3: unknown scheme"},
    {"NearestScheme", "layers:\n  - match: a\n    scheme: w4g46\n", "did you mean w4g"},
    {"MissingScheme", "layers:\n  - {match: a}\n", "r.yaml:2: a rule of layers needs match and"},
    {"EmptyMatch", "layers:\n  - {match: \"re:\", scheme: w8c}\n", "it is empty"},
    {"LayersNoList", "layers: w4g64\n", "r.yaml:1: layers must be a list; found \"w4g64\""},
    {"KeyTwice", "seed: 1\nkv: int8\nseed: 2\n", "r.yaml:3: the key \"seed\" occurs twice"},
    {"UnknownKv", "kv: int5\n", "cache is one of bf16, fp16, int8, int4; got int5"},
    {"UnknownMode", "activations: int4\n", "r.yaml:1: unknown activation mode"},
    {"SeedNoNumber", "seed: many\n", "r.yaml:1: seed must be an integer from 0"},
    {"SeedQuoted", "seed: \"1\"\n", "seed must be an integer"},
    {"Empty", "# nothing\n", "is empty"},
    {"NotAMap", "- a\n- b\n", "a recipe must be a map"},
    {"Alias", "layers: &all []\nsteps: *all\n", "no YAML anchors"},
    {"TwoDocuments", "seed: 1\n---\nseed: 2\n", "more than one YAML document"},
    {"NotYaml", "layers: [\n", "r.yaml:2: not valid YAML"},
    {"TwoStepsInOne", "steps:\n  - {rtn: {}, hqq: {}}\n", "r.yaml:2: a step must be a name"},
    {"StepWithText", "steps:\n  - rtn: fast\n", "r.yaml:2: the options of rtn must be a map"},
    {"SamplesZero", "calibration: {text: a, samples: 0}\n", "samples must be an integer from 1"},
    {"FirstTokenBelowZero", "calibration: {text: a, first_token: -1}\n", "from 0 to 1e6; got -1"},
    {"DeepFlow", "a: " + std::string(40, '[') + std::string(40, ']'), "nested deeper than 32"},
    {"VeryDeepFlow", std::string(100'000, '['), "nested deeper than 32"},
    {"DeepBlock", deep_block(), "nested deeper than 32"},
    {"NotText", "model: \"\xff\xfe\"\n", "r.yaml:1: "},
};
class BadRecipes : public testing::TestWithParam<BadRecipe> {};
TEST_P(BadRecipes, AreRefusedWithTheirLine) {
  EXPECT_COMPLAINT(kBadInput, GetParam().complaint, parse_recipe(GetParam().text, "r.yaml"));
}
INSTANTIATE_TEST_SUITE_P(All, BadRecipes, testing::ValuesIn(kBad),
                         [](const auto& p) { return p.param.name; });

TEST(Recipe, IsLimitedInSize) {
  EXPECT_COMPLAINT(kBadInput, "the limit is", parse_recipe(std::string(5'000'000, ' '), "r"));
  std::string many = "{";
  for (int i = 0; i < 201; ++i) many += fmt::format("k{}: 1, ", i);
  EXPECT_COMPLAINT(kBadInput, "more than 200 keys", parse_recipe(many + "}", "r"));
}

TEST(Recipe, StepsAreCheckedWhenTheyAreMade) {
  const auto make = [](std::string text) {
    Recipe recipe = parse_recipe(text, "r.yaml");
    return make_steps(recipe).size();
  };
  EXPECT_COMPLAINT(kBadInput,
                   "r.yaml:2: unknown step \"rnt\"; known: rtn, hqq, rotate, smooth, awq, gptq, "
                   "magnitude, wanda, sparsegpt, autoround, drop_layers, drop_channels, "
                   "drop_heads, drop_experts, split_vocabulary; did you mean rtn?",
                   make("steps:\n  - rnt\n"));
  EXPECT_COMPLAINT(kBadInput,
                   "step rtn has no key \"rang\"; known: range, importance; did you mean range?",
                   make("steps:\n  - rtn: {rang: shrink}\n"));
  EXPECT_COMPLAINT(kBadInput, "one of search, shrink, minmax; got widest",
                   make("steps:\n  - rtn: {range: widest}\n"));
  EXPECT_COMPLAINT(kBadInput, "hqq rounds the weights that rtn has rounded",
                   make("steps: [rtn, hqq]\n"));
  EXPECT_EQ(make("steps: []\n"), 1u);
}

TEST(Recipe, AStepMayRoundSomeMatricesAlone) {
  const auto names = [](const std::string& text) {
    Recipe recipe = parse_recipe("steps: " + text, "r.yaml");
    const std::size_t made = make_steps(recipe).size();
    EXPECT_EQ(made, recipe.steps.size());
    std::string all;
    for (const StepSetting& step : recipe.steps) all += step.name + " ";
    return all;
  };
  EXPECT_EQ(names("[gptq, rtn: {match: a}, rtn: {range: minmax, match: [b, \"re:c.*\"]}]"),
            "gptq rtn rtn ");
  EXPECT_EQ(names("[gptq: {match: a}]"), "rtn gptq ");  // the default is for all others
  EXPECT_COMPLAINT(kBadInput, "must stand before rtn, which rounds some anew",
                   names("[rtn: {match: a}, gptq]"));
  EXPECT_COMPLAINT(kBadInput, "match must name at least one matrix", names("[rtn: {match: []}]"));
  EXPECT_COMPLAINT(kBadInput, "not a regular expression", names("[rtn: {match: \"re:(\"}]"));
  EXPECT_COMPLAINT(kBadInput, "match of smooth needs multiply: each",
                   names("[smooth: {match: a}]"));
  Recipe recipe = parse_recipe("steps: [gptq, rtn: {match: [a, b]}]", "r.yaml");
  EXPECT_EQ(parse_recipe(recipe_text(recipe), "again").steps.at(1).options,
            recipe.steps.at(1).options);
}

TEST(Recipe, TheDefaultStepIsPartOfTheEffectiveRecipe) {
  Recipe recipe;
  make_steps(recipe);
  ASSERT_EQ(recipe.steps.size(), 1u);
  EXPECT_EQ(recipe.steps[0].name, "rtn");
}

TEST(Recipe, MethodsAreShorthandForSteps) {
  EXPECT_EQ(steps_of_method("hqq").at(0).name, "hqq");
  EXPECT_EQ(steps_of_method("minmax").at(0).options.find("range")->text, "minmax");
  const auto both = steps_of_method("awq+gptq");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].name, "awq");
  EXPECT_EQ(both[1].name, "gptq");
  EXPECT_COMPLAINT(kUsage, "known: rtn, search, shrink, minmax, hqq", steps_of_method("awq+gptk"));
}

TEST(Recipe, ARuleOfTheCommandLineIsCutAtItsLastEqualsSign) {
  const LayerRule rule = parse_layer_rule("re:.*(?=x)=y$=w8g32", "--layers");
  EXPECT_EQ(rule.match, "re:.*(?=x)=y$");
  EXPECT_EQ(rule.scheme_text, "w8g32");
  EXPECT_COMPLAINT(kUsage, "must be NAME=SCHEME", parse_layer_rule("lm_head", "--layers"));
  EXPECT_COMPLAINT(kUsage, "unknown scheme", parse_layer_rule("lm_head=w9", "--layers"));
}

}  // namespace
}  // namespace farthing::compress
