// Folding scales must not change what a block computes.
#include "compress/folds.h"

#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/collect.h"
#include "core/random.h"
#include "io/overlay_checkpoint.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

QuantizedTensor floats_of(MatrixView<const float> values) {
  QuantizedTensor tensor =
      allocate_tensor({values.rows, values.cols}, {.element = Element::kF32, .bits = 32});
  tensor.format->quantize(tensor, 0, values, {});
  return tensor;
}

// The hidden states behind block 0 for a few tokens.
std::vector<float> run(Runtime& runtime, const io::Checkpoint& checkpoint) {
  const auto model = model::Model::load(runtime, checkpoint, {}, true);
  const calibrate::SampleRows samples{{7, 5}};
  const std::vector<cache::Token> tokens = {1, 5, 9, 33, 2, 8, 100, 4, 4, 17, 60, 3};
  calibrate::BlockRunner runner(runtime, samples, kernels::KvType::kF32);
  calibrate::HiddenStates states(samples.tokens(), model->config().hidden);
  runner.embed(*model, tokens, states);
  runner.advance(*model, 0, states);
  return {states.view().data, states.view().data + 12 * model->config().hidden};
}

TEST(Folds, KeepTheFunctionOfABlock) {
  Runtime runtime(2);
  const io::TempDir dir;
  const OpenModel model(TinyLlama{}.write(dir));
  Recipe recipe;
  recipe.layers.push_back(make_rule("re:.*", "w4g32", "--scheme"));
  const Plan plan = make_plan(recipe, model.map, {});
  Block block(runtime, model.map, plan, 0);
  const auto folds = folds_of(block);
  ASSERT_EQ(folds.size(), 4u);  // two norms, values, up
  Random random(3);
  for (const Fold& fold : folds) {
    std::vector<float> scales;
    for (std::int64_t c = 0; c < fold.channels; ++c)
      scales.push_back(static_cast<float>(std::exp2(random.uniform() * 4 - 2)));
    scales[1] = 0;  // a channel without a usable scale stays
    scales[2] = NAN;
    apply_fold(block, fold, scales);
  }
  io::OverlayCheckpoint overlay(*model.checkpoint);
  for (const auto& [place, matrix] : block.matrices())
    if (matrix->edited) overlay.put(place.first, place.second, floats_of(matrix->values.view()));
  for (auto& [name, vector] : block.vectors()) overlay.put(name, 0, std::move(vector));

  const auto before = run(runtime, *model.checkpoint), after = run(runtime, overlay);
  ASSERT_EQ(before.size(), after.size());
  double largest = 0, wrong = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    largest = std::max(largest, std::abs(double(before[i])));
    wrong = std::max(wrong, std::abs(double(before[i]) - double(after[i])));
  }
  EXPECT_LT(wrong, 1e-5 * largest);
  EXPECT_GT(wrong, 0);
}

TEST(Folds, GroupedQueriesReadAValueHeadTogether) {
  Runtime runtime(1);
  const io::TempDir dir;
  const OpenModel model(TinyLlama{}.write(dir));
  Recipe recipe;
  recipe.layers.push_back(make_rule("re:.*", "w4g32", "--scheme"));
  const Plan plan = make_plan(recipe, model.map, {});
  Block block(runtime, model.map, plan, 1);
  for (const Fold& fold : folds_of(block)) {
    if (fold.producer != model::Slot::kV) continue;
    EXPECT_EQ(fold.channels, 32);  // 2 value heads of 16
    EXPECT_EQ(fold.channel_of[0], 0);
    EXPECT_EQ(fold.channel_of[16], 0);   // the second query head reads the first value head
    EXPECT_EQ(fold.channel_of[32], 16);  // the third the second
  }
}

}  // namespace
}  // namespace farthing::compress
