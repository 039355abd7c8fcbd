#include "compress/plan.h"

#include <gmock/gmock.h>

#include "compress/step.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

// The plan of a recipe for the tiny model, after its steps have prepared it.
struct Planned {
  explicit Planned(std::vector<LayerRule> rules, TinyLlama tiny = {}, PlanOptions options = {},
                   std::string_view method = "rtn")
      : model(tiny.write(dir)) {
    recipe.layers = std::move(rules);
    recipe.steps = steps_of_method(method);
    const auto steps = make_steps(recipe);
    plan = make_plan(recipe, model.map, options);
    for (const auto& step : steps) step->prepare(plan);
    make_portable(plan);
  }
  const PlannedUnit& unit(std::string_view base) const {
    for (const PlannedUnit& unit : plan.units)
      if (unit.base == base) return unit;
    throw std::runtime_error("no unit " + std::string(base));
  }
  std::string scheme(std::string_view base) const { return scheme_name(unit(base).scheme); }

  io::TempDir dir;
  OpenModel model;
  Recipe recipe;
  Plan plan;
};

LayerRule rule(std::string match, std::string_view scheme, std::string where = "--layers") {
  return make_rule(std::move(match), scheme, std::move(where));
}

constexpr PlanOptions kOwnKind = {.portable = false, .uniform_fused = false};

TEST(Plan, SchemeIsForTheLinearsOfBlocksAlone) {
  const Planned p({rule("re:.*", "w4g32", "--scheme")});
  EXPECT_EQ(p.scheme("model.layers.0.self_attn.q_proj"), "w4g32");
  EXPECT_EQ(p.scheme("model.layers.2.mlp.down_proj"), "w4g32");
  EXPECT_TRUE(p.unit("lm_head").keep);
  EXPECT_TRUE(p.unit("model.embed_tokens").keep);
  EXPECT_EQ(p.plan.units.size(), 2u + 3 * 7);
  EXPECT_TRUE(p.plan.notes.empty());
}

TEST(Plan, TheLastMatchCounts) {
  const Planned p({rule("re:.*", "w4g32"), rule("re:.*down_proj$", "w8g32"),
                   rule("model.layers.1.mlp.down_proj", "fp32"),
                   rule("model.layers.0.mlp.up_proj", "keep")});
  EXPECT_EQ(p.scheme("model.layers.0.mlp.down_proj"), "w8g32");
  EXPECT_EQ(p.scheme("model.layers.1.mlp.down_proj"), "fp32");
  EXPECT_FALSE(p.unit("model.layers.1.mlp.down_proj").keep);
  EXPECT_EQ(p.scheme("model.layers.1.mlp.up_proj"), "w4g32");
  EXPECT_TRUE(p.unit("model.layers.0.mlp.up_proj").keep);
}

TEST(Plan, AnExpressionForBlocksSparesTheEndsAndSaysSo) {
  const Planned p({rule("re:.*", "w4g32")});
  EXPECT_TRUE(p.unit("lm_head").keep);
  EXPECT_THAT(p.plan.notes, testing::Contains(testing::HasSubstr("leaves model.embed_tokens")));
  const Planned named(
      {rule("re:.*", "w4g32"), rule("lm_head", "w8g32"), rule("re:.*embed.*", "w8c")});
  EXPECT_EQ(named.scheme("lm_head"), "w8g32");
  EXPECT_EQ(named.scheme("model.embed_tokens"), "w8c");
}

TEST(Plan, ARuleThatMatchesNothingNamesTheNearest) {
  EXPECT_COMPLAINT(kUsage, "did you mean model.layers.0.mlp.down_proj?",
                   Planned({rule("model.layers.0.mlp.dwn_proj", "w4g32")}));
  EXPECT_COMPLAINT(kUsage, "names end in embed_tokens, lm_head, q_proj",
                   Planned({rule("re:.*qkv_proj$", "w4g32")}));
  EXPECT_COMPLAINT(kBadInput, "r.yaml:4: ", Planned({rule("lm_hed", "w4g32", "r.yaml:4")}));
  EXPECT_COMPLAINT(kUsage, "is no matrix",
                   Planned({rule("model.layers.0.input_layernorm", "w4g32")}));
}

TEST(Plan, AGroupThatDoesNotDivideTheRowIsReplacedAndRecorded) {
  const Planned p({rule("re:.*", "w4g128", "--scheme")});  // rows of 64 and 96 inputs
  EXPECT_EQ(p.scheme("model.layers.0.self_attn.q_proj"), "w4g64");
  EXPECT_EQ(p.scheme("model.layers.0.mlp.down_proj"), "w4g32");
  EXPECT_EQ(p.unit("model.layers.0.mlp.down_proj").asked, "w4g128");
  EXPECT_THAT(p.plan.lines(),
              testing::Contains("model.layers.0.mlp.down_proj and 2 more: w4g32 instead of w4g128: "
                                "groups of 128 do not divide rows of 96 inputs"));
}

TEST(Plan, ActivationModesAreFixedForEveryLinear) {
  const auto mode = [](const Planned& p, std::string_view base) {
    return p.unit(base).activations->mode;
  };
  const Planned p(
      {rule("re:.*", "w4g32"), rule("re:.*q_proj$", "w8g32"), rule("re:.*v_proj$", "w8a8")});
  EXPECT_EQ(mode(p, "model.layers.0.self_attn.k_proj"), ActivationMode::kInt8);
  EXPECT_EQ(mode(p, "model.layers.0.self_attn.q_proj"), ActivationMode::kInt16);
  EXPECT_EQ(mode(p, "lm_head"), ActivationMode::kF32);
  EXPECT_FALSE(p.unit("model.embed_tokens").activations);
  const PlannedUnit& named = p.unit("model.layers.0.self_attn.v_proj");
  EXPECT_TRUE(named.activations_are_named);
  EXPECT_EQ(named.activations->strategy, Strategy::kChannel);

  LayerRule one = rule("re:.*o_proj$", "w4g32");
  one.activations = ActivationMode::kBf16;
  const Planned q({rule("re:.*", "w4g32"), one});
  EXPECT_EQ(mode(q, "model.layers.0.self_attn.o_proj"), ActivationMode::kBf16);
  EXPECT_EQ(mode(q, "model.layers.0.self_attn.q_proj"), ActivationMode::kInt8);
}

TEST(Plan, ASchemeThatNamesItsActivationsDoesNotTakeOthers) {
  LayerRule clash = rule("re:.*", "w8a8");
  clash.activations = ActivationMode::kBf16;
  EXPECT_COMPLAINT(kUsage, "w8a8 says int8 activations by its name; got bf16", Planned({clash}));
  EXPECT_COMPLAINT(kUsage, "the range of what enters lm_head is not measured",
                   Planned({rule("lm_head", "w8a8-static")}));
}

TEST(Plan, BlockTypesOfGgufCannotBeWrittenToADirectory) {
  EXPECT_COMPLAINT(kUnsupported, "q4_k is a block type that only GGUF files have",
                   Planned({rule("re:.*", "q4_k")}));
}

TinyLlama tied() {
  TinyLlama tiny;
  tiny.tied = true;
  return tiny;
}

TEST(Plan, ATiedHeadAndEmbeddingHaveOneScheme) {
  const LayerRule head = rule("lm_head", "w8g32", "--head");
  const Planned by_head({head}, tied(), kOwnKind);
  EXPECT_EQ(by_head.scheme("model.embed_tokens"), "w8g32");
  EXPECT_EQ(by_head.unit("model.embed_tokens").activations->mode, ActivationMode::kInt16);
  const LayerRule embedding = rule("model.embed_tokens", "w8g32", "--embedding");
  const Planned both({head, embedding}, tied(), kOwnKind);
  EXPECT_EQ(both.scheme("model.embed_tokens"), "w8g32");
  const LayerRule other = rule("model.embed_tokens", "w4g32", "--embedding");
  EXPECT_COMPLAINT(kUsage, "are one matrix", Planned({head, other}, tied(), kOwnKind));
}

TEST(Plan, WhatCompressedTensorsCannotSayIsRefusedUnlessAskedFor) {
  EXPECT_COMPLAINT(kUnsupported, "--no-portable", Planned({rule("lm_head", "w8g32")}, tied()));
  EXPECT_COMPLAINT(kUnsupported, "no words for nf4g64", Planned({rule("re:.*", "nf4g64")}));
  const Planned own({rule("re:.*", "nf4g64")}, {}, kOwnKind);
  EXPECT_EQ(own.scheme("model.layers.0.self_attn.q_proj"), "nf4g64");
}

TEST(Plan, HqqTakesZeroPointsRoundedWhereTheyMustBe) {
  const std::vector<LayerRule> all = {rule("re:.*", "w4g32", "--scheme")};
  const Planned portable(all, {}, {}, "hqq");
  EXPECT_EQ(portable.scheme("model.layers.0.self_attn.q_proj"), "w4g32-asym");
  EXPECT_EQ(portable.unit("model.layers.0.self_attn.q_proj").asked, "w4g32");
  EXPECT_EQ(portable.plan.substitutions.size(), 21u);
  EXPECT_EQ(portable.plan.lines().size(), 1u);
  const Planned own(all, {}, kOwnKind, "hqq");
  EXPECT_EQ(own.scheme("model.layers.0.self_attn.q_proj"), "w4g32-asymf");
  const Planned rounded({rule("re:.*", "w4g32-asymf")});
  EXPECT_EQ(rounded.scheme("model.layers.0.self_attn.q_proj"), "w4g32-asym");
}

TEST(Plan, FusedModulesGetTheWidestSchemeOfTheirParts) {
  const Planned p(
      {rule("re:.*", "w4g32"), rule("re:.*0.*v_proj$", "w8g32"), rule("re:.*1.*up_proj$", "bf16")},
      {}, {.portable = true, .uniform_fused = true});
  EXPECT_EQ(p.scheme("model.layers.0.self_attn.q_proj"), "w8g32");
  EXPECT_EQ(p.unit("model.layers.0.self_attn.q_proj").activations->mode, ActivationMode::kInt16);
  EXPECT_EQ(p.scheme("model.layers.0.self_attn.o_proj"), "w4g32");
  EXPECT_EQ(p.scheme("model.layers.1.mlp.gate_proj"), "bf16");
  EXPECT_TRUE(p.unit("model.layers.1.mlp.gate_proj").keep);
  EXPECT_EQ(p.scheme("model.layers.2.mlp.gate_proj"), "w4g32");
}

}  // namespace
}  // namespace farthing::compress
