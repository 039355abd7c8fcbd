// Experts that calibration hardly reaches.
#include <gtest/gtest.h>

#include "compress/calibrated_blocks.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

TEST(StarvedExperts, AreRoundedToNearestAndCounted) {
  Runtime runtime(2);
  const OpenModel model(FARTHING_SOURCE_DIR "/tests/golden/architectures/mixtral");
  Recipe recipe =
      parse_recipe("layers: [{match: \"re:.*\", scheme: w4g16}]\nsteps: [gptq]", "test");
  const auto steps = make_steps(recipe);
  const Plan plan = make_plan(recipe, model.map, {});
  calibrate::CalibrationData data;
  data.samples.emplace_back();
  data.samples.back().tokens = {5};  // one token reaches some experts, and no others
  CalibratedBlocks blocks(runtime, model.map, plan, steps, data, {});
  const FinishedBlock made = blocks.compress(0);
  std::int64_t starved = 0, experts = 0;
  for (const FinishedMatrix& matrix : made.matrices) {
    const bool is_expert = matrix.unit->unit.expert >= 0;
    experts += is_expert ? 1 : 0;
    starved += matrix.result.starved;
    EXPECT_TRUE(is_expert || matrix.result.starved == 0) << matrix.unit->base;
  }
  EXPECT_EQ(experts, 3 * model.config.experts);
  EXPECT_EQ(starved, 3 * (model.config.experts - model.config.experts_per_token));
}

}  // namespace
}  // namespace farthing::compress
