#include "tune/sensitivity.h"

#include <gmock/gmock.h>

#include <cmath>

#include "compress/compress.h"
#include "core/error.h"
#include "io/mapped_file.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::tune {
namespace {

using ::testing::HasSubstr;

struct TinySpace {
  explicit TinySpace(std::string_view schemes = "w8g32,w4g32,w4g64", bool tied = false)
      : model(TinyLlama{.tied = tied}.write(dir)),
        space(model.map, parse_alternatives(schemes), parse_caches("fp16,int8"), {}) {}
  io::TempDir dir;
  OpenModel model;
  Space space;
  std::size_t unit(std::string_view name) const {
    for (std::size_t u = 0; u < space.units().size(); ++u)
      if (space.units()[u].name.ends_with(name)) return u;
    ADD_FAILURE() << name;
    return 0;
  }
};

TEST(Space, HasAUnitForEverySourceLinearTheEndsAndTheCache) {
  const TinySpace tiny;
  EXPECT_EQ(tiny.space.units().size(), 3u * 7 + 2 + 1);
  EXPECT_EQ(tiny.space.units()[tiny.unit("layers.1.self_attn.k_proj")].kind, "k");
  EXPECT_EQ(tiny.space.units()[tiny.unit("lm_head")].kind, "head");
  EXPECT_TRUE(tiny.space.units()[tiny.unit("kv")].is_cache());
  const TinySpace tied("w8g32", true);
  EXPECT_EQ(tied.space.units().size(), 3u * 7 + 1 + 1);  // embedding and head are one matrix
}

TEST(Space, OffersNoAlternativeTwice) {
  const TinySpace tiny;  // down has 96 inputs: groups of 64 become groups of 32
  const std::size_t down = tiny.unit("layers.0.mlp.down_proj"),
                    q = tiny.unit("layers.0.self_attn.q_proj");
  EXPECT_TRUE(tiny.space.offers({down, 2}));
  EXPECT_FALSE(tiny.space.offers({down, 3}));
  EXPECT_TRUE(tiny.space.offers({q, 3}));
  EXPECT_LT(tiny.space.bytes({q, 3}), tiny.space.bytes({q, 2}));
  // An embedding multiplies nothing, so a mode changes nothing.
  const TinySpace modes("w4g32,w4g32:int16");
  EXPECT_FALSE(modes.space.offers({modes.unit("embed_tokens"), 2}));
  EXPECT_TRUE(modes.space.offers({modes.unit("lm_head"), 2}));
}

TEST(Space, WritesAMixAsRulesOfARecipe) {
  const TinySpace tiny;
  Mix mix(tiny.space.units().size(), 0);
  mix[tiny.unit("layers.2.mlp.up_proj")] = 1;
  mix[tiny.unit("kv")] = 1;
  compress::Recipe recipe;
  apply_mix(tiny.space, mix, recipe);
  ASSERT_EQ(recipe.layers.size(), 1u);
  EXPECT_EQ(recipe.layers[0].match, "model.layers.2.mlp.up_proj");
  EXPECT_EQ(recipe.layers[0].scheme_text, "w8g32");
  EXPECT_EQ(recipe.kv, "int8");
}

TEST(Alternatives, HaveMethodsOfTheirOwn) {
  const auto all = parse_alternatives("w8g32:int16@rtn,w4g32@wanda=2:4+rtn,w8a8@smooth=0.25");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].scheme(), "w8g32");
  EXPECT_EQ(all[1].method(), "rtn");
  EXPECT_EQ(all[1].activations, ActivationMode::kInt16);
  EXPECT_FALSE(all[1].sparsity);
  ASSERT_EQ(all[2].steps.size(), 2u);
  EXPECT_EQ(all[2].sparsity->of, 4);
  EXPECT_EQ(all[2].rule("re:.*").scheme_text, "w4g32");
  EXPECT_EQ(all[3].steps[0].options.find("alpha")->text, "0.25");
}

TEST(Space, WritesMethodsAsStepsForTheirMatricesAlone) {
  const TinySpace tiny("w8g32,w8g32@rtn,w8a8@smooth=0.5");
  const std::size_t q = tiny.unit("layers.0.self_attn.q_proj"),
                    up = tiny.unit("layers.1.mlp.up_proj"), head = tiny.unit("lm_head");
  // Outside of the blocks every method rounds to nearest.
  EXPECT_FALSE(tiny.space.offers({head, 2}));
  EXPECT_EQ(tiny.space.offered_like({head, 2}), 1u);
  EXPECT_TRUE(tiny.space.planned(tiny.space.units()[q].members[0], 3).multiplied);
  Mix mix(tiny.space.units().size(), 0);
  mix[q] = 2, mix[up] = 3;
  compress::Recipe recipe;
  recipe.steps = compress::steps_of_method("gptq");
  apply_mix(tiny.space, mix, recipe);
  ASSERT_EQ(recipe.steps.size(), 3u);
  EXPECT_EQ(recipe.steps[0].name, "gptq");
  EXPECT_EQ(recipe.steps[1].name, "rtn");
  EXPECT_EQ(recipe.steps[1].options.find("match")->items.at(0).text,
            "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(recipe.steps[2].name, "smooth");
  EXPECT_EQ(recipe.steps[2].options.find("multiply")->text, "each");
  EXPECT_EQ(compress::make_steps(recipe).size(), 3u);
}

// What a sensitivity is measured with is what compress writes, to the bit, where the step needs no
// data: rounding to nearest, and with weights taken out.
TEST(RoundedWeights, AreWhatCompressWrites) {
  const TinySpace tiny("w8g32,w4g32@minmax,w8g32@magnitude=0.5");
  Runtime runtime(2);
  SilentProgress progress;
  const auto model = model::Model::load(runtime, tiny.space.map().checkpoint());
  compress::Recipe recipe;
  recipe.steps = compress::steps_of_method("rtn");
  const auto steps = compress::make_steps(recipe);
  const calibrate::CalibrationData none;
  RoundedWeights weights(runtime, tiny.space, *model, steps, none, progress);
  Mix mix(tiny.space.units().size(), 0);
  for (std::size_t u = 0; u + 1 < mix.size(); ++u)
    mix[u] = tiny.space.units()[u].layer < 0 ? 1 : 1 + u % 3;
  apply_mix(tiny.space, mix, recipe);
  compress::CompressOptions options;
  options.plan.portable = false;
  const std::string out = tiny.dir.path("out");
  compress::compress(runtime, tiny.space.map().checkpoint(), out, recipe, options, progress);
  const OpenModel written(out);
  for (std::size_t u = 0; u + 1 < mix.size(); ++u) {
    const std::size_t member = tiny.space.units()[u].members[0];
    const QuantizedTensor there = written.map.load(tiny.space.planned(member, mix[u]).unit);
    const QuantizedTensor& here = weights.at(member, mix[u]).at(0);
    ASSERT_EQ(there.shape, here.shape);
    const auto size = static_cast<std::size_t>(here.shape.size());
    std::vector<float> a(size), b(size);
    there.format->dequantize(there, 0, {a.data(), here.shape.rows, here.shape.cols});
    here.format->dequantize(here, 0, {b.data(), here.shape.rows, here.shape.cols});
    EXPECT_EQ(a, b) << tiny.space.units()[u].name;
    const auto zeros = std::ranges::count(a, 0.0f);
    if (mix[u] == 3) {
      EXPECT_GE(zeros, std::ssize(a) / 2);
    } else {
      EXPECT_LT(zeros, std::ssize(a) / 4);
    }
  }
}

TEST(Alternatives, AreRefusedWithASentence) {
  const auto refuse = [](std::string_view names, std::string_view why) {
    try {
      parse_alternatives(names);
      ADD_FAILURE() << names;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refuse("w4g64,w4g64", "named twice");
  refuse("w4g65", "unknown scheme");
  refuse("w4g64:int7", "unknown activation mode");
  refuse("", "separated by single commas");
  refuse("w8g32,,w4g32", "separated by single commas");
  refuse("q4_k", "GGUF");
  refuse("w4g64@magic", "unknown method");
  refuse("w4g64@", "unknown method");
  refuse("w4g64@autoround", "many matrices at once");
  refuse("w4g64@rtn=3", "takes no value");
  refuse("w4g64@rtn+gptq", "rounds the weights twice");
  refuse("w4g64@wanda+magnitude", "takes weights out twice");
  EXPECT_EQ(parse_alternatives("keep,w4g64").size(), 2u);
}

TEST(Sensitivity, ReadsOffWhatIsNotMeasured) {
  const TinySpace tiny;
  Sensitivity table(tiny.space);
  const std::size_t q = tiny.unit("layers.0.self_attn.q_proj");
  EXPECT_EQ(table.kld({q, 2}), 0);
  table.set_output_error({q, 1}, 1e-4);
  table.set_output_error({q, 2}, 1e-2);
  table.set_output_error({q, 3}, 2e-2);
  const auto anchor = table.anchor(q);  // sqrt(1e-4 * 2e-2) = 1.4e-3: 1e-2 is nearest
  ASSERT_TRUE(anchor);
  EXPECT_EQ(anchor->alternative, 2u);
  table.set_measured(*anchor, {.kld = 0.5});
  // One measurement: KL in proportion to the squared error.
  EXPECT_DOUBLE_EQ(table.kld({q, 1}), 0.5 * 1e-2);
  EXPECT_DOUBLE_EQ(table.kld({q, 3}), 1.0);
  // Two: a power between them, through both.
  table.set_measured({q, 3}, {.kld = 2.0});
  EXPECT_DOUBLE_EQ(table.kld({q, 3}), 2.0);
  EXPECT_DOUBLE_EQ(table.kld({q, 2}), 0.5);
  table.set_output_error({q, 1}, 1.5e-2);
  EXPECT_NEAR(table.kld({q, 1}), 0.5 * std::pow(1.5, 2), 1e-9);  // slope log 4 / log 2
}

TEST(SensitivityCache, GivesBackWhatWasMeasured) {
  const TinySpace tiny;
  const std::string path = tiny.dir.path("cache/a.json");
  const std::size_t q = tiny.unit("layers.0.self_attn.q_proj");
  {
    Sensitivity table(tiny.space);
    SensitivityCache cache(path, "key");
    table.set_output_error({q, 1}, 0.25);
    table.set_measured({q, 1}, {.kld = 0.125, .stderr_of_kld = 0.5, .top1_agreement = 0.75});
    cache.put(table, {q, 1});
    cache.save();
  }
  const SensitivityCache cache(path, "key");
  Sensitivity table(tiny.space);
  cache.restore(table);
  EXPECT_TRUE(table.at({q, 1}).measured);
  EXPECT_EQ(table.at({q, 1}).shift.kld, 0.125);
  EXPECT_EQ(table.at({q, 1}).shift.top1_agreement, 0.75);
  EXPECT_FALSE(table.at({q, 2}).measured);
  Sensitivity other(tiny.space);
  SensitivityCache(path, "another key").restore(other);
  EXPECT_FALSE(other.at({q, 1}).measured);
}

TEST(SensitivityCache, TakesADamagedFileForNone) {
  const TinySpace tiny;
  const std::string path = tiny.dir.path("a.json");
  const std::size_t q = tiny.unit("layers.0.self_attn.q_proj");
  Sensitivity written(tiny.space);
  SensitivityCache cache(path, "key");
  written.set_measured({q, 1}, {.kld = 0.125});
  cache.put(written, {q, 1});
  cache.save();
  const std::string whole = io::read_text_file(path);
  int restored = 0;
  for (std::size_t cut = 0; cut <= whole.size(); cut += 11) {
    tiny.dir.write("a.json", whole.substr(0, cut));
    Sensitivity table(tiny.space);
    SensitivityCache(path, "key").restore(table);
    restored += table.at({q, 1}).measured ? 1 : 0;
  }
  EXPECT_LE(restored, 1);
  std::string hostile = whole;
  hostile.replace(hostile.find("0.125"), 5, "-0.12");  // no divergence is negative
  tiny.dir.write("a.json", hostile);
  Sensitivity table(tiny.space);
  SensitivityCache(path, "key").restore(table);
  EXPECT_FALSE(table.at({q, 1}).measured);
}

}  // namespace
}  // namespace farthing::tune
