#include "compress/presets.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace farthing::compress {
namespace {

TEST(Presets, EachIsARecipeThatReadsBackAsItself) {
  for (const Preset& preset : presets())
    for (std::int64_t bits = 2; bits <= 8; ++bits) {
      const std::string text = recipe_text(preset_recipe(preset.name, bits));
      EXPECT_EQ(recipe_text(parse_recipe(text, "preset")), text);
      EXPECT_THAT(text, testing::HasSubstr("scheme: w" + std::to_string(bits) + "g"));
      EXPECT_EQ(text.find("calibration:") != std::string::npos, preset.samples > 0);
    }
}

TEST(Presets, UnknownOnesAreRefusedWithTheNearest) {
  try {
    preset_recipe("balance", 4);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUsage);
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean balanced?"));
  }
  EXPECT_THROW(preset_recipe("fast", 1), Error);
  EXPECT_THROW(preset_recipe("fast", 9), Error);
}

}  // namespace
}  // namespace farthing::compress
