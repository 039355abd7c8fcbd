#include "tune/sensitivity.h"

#include <gmock/gmock.h>

#include <cmath>

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
