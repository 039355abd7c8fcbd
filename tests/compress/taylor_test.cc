// Taylor scores are held to finite differences: gates are turned in copies of the weights, and the
// loss is taken from the logits of the kernels that serve, which share no code with training.
#include <gmock/gmock.h>

#include <cmath>

#include "compress/step.h"
#include "compress/steps/structured.h"
#include "io/overlay_checkpoint.h"
#include "io/plain_matrix.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"

namespace farthing::compress {
namespace {

using model::Slot;

calibrate::CalibrationData some_data() {
  calibrate::CalibrationData data;
  Random random(5);
  for (int s = 0; s < 3; ++s) {
    calibrate::Sample sample;
    for (int t = 0; t < 17; ++t)
      sample.tokens.push_back(static_cast<text::Token>(random.uniform() * 100));
    data.samples.push_back(std::move(sample));
  }
  return data;
}

// The mean cross entropy of the sample's next tokens.
double loss_of(const io::Checkpoint& checkpoint, const std::vector<text::Token>& tokens) {
  Runtime runtime(2);
  const std::vector<std::int32_t> all(tokens.begin(), tokens.end());
  const std::vector<float> logits = reference::all_logits(runtime, checkpoint, all);
  const std::size_t vocab = logits.size() / tokens.size();
  double sum = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    const float* row = logits.data() + t * vocab;
    double z = 0;
    for (std::size_t v = 0; v < vocab; ++v) z += std::exp(static_cast<double>(row[v]));
    sum += std::log(z) - static_cast<double>(row[tokens[t + 1]]);
  }
  return sum / static_cast<double>(tokens.size() - 1);
}

// The mean over samples of the squared slope of the loss by gate number `gate`.
double score_by_differences(const OpenModel& model, const calibrate::CalibrationData& data,
                            Slot slot, int layer, std::int64_t width, std::int64_t gate) {
  constexpr double kStep = 1.0 / 64;
  const auto unit = *model.map.find(slot, layer);
  const std::vector<float> weights = model.floats(unit.base);
  const Shape shape = model.checkpoint->matrix(unit.base)->shape;
  double sum = 0;
  for (const calibrate::Sample& sample : data.samples) {
    double losses[2];
    for (int side = 0; side < 2; ++side) {
      std::vector<float> turned = weights;
      for (std::int64_t r = 0; r < shape.rows; ++r)
        for (std::int64_t j = gate * width; j < (gate + 1) * width; ++j)
          turned[static_cast<std::size_t>(r * shape.cols + j)] *=
              static_cast<float>(side == 0 ? 1 + kStep : 1 - kStep);
      io::OverlayCheckpoint overlay(*model.checkpoint);
      const io::TensorInfo info{unit.base,
                                "F32",
                                {shape.rows, shape.cols},
                                std::as_bytes(std::span<const float>(turned))};
      overlay.put(unit.base, 0, io::plain_matrix(info, 0, 1, "test"));
      losses[side] = loss_of(overlay, sample.tokens);
    }
    sum += std::pow((losses[0] - losses[1]) / (2 * kStep), 2);
  }
  return sum / static_cast<double>(data.samples.size());
}

TEST(Taylor, ScoresAreSquaredSlopesOfTheLoss) {
  const io::TempDir dir;
  const OpenModel model(TinyLlama{}.write(dir));
  const calibrate::CalibrationData data = some_data();
  Runtime runtime(2);
  SilentProgress quiet;
  const Survey survey{runtime, model.map, data, "fp32", quiet};
  struct Case {
    Slot slot;
    std::int64_t width;
    std::size_t gates;
  };
  for (const Case& test : {Case{Slot::kDown, 1, 96}, Case{Slot::kO, 32, 2}}) {
    const auto scores = gate_scores(survey, test.slot, test.width);
    ASSERT_EQ(scores.size(), 3u);
    for (int layer = 0; layer < 3; ++layer) {
      const std::vector<double>& mine = scores[static_cast<std::size_t>(layer)];
      ASSERT_EQ(mine.size(), test.gates);
      for (std::size_t gate = 0; gate < mine.size(); gate += test.gates == 2 ? 1 : 23) {
        const double slope = std::sqrt(mine[gate]);
        const double expected = std::sqrt(score_by_differences(
            model, data, test.slot, layer, test.width, static_cast<std::int64_t>(gate)));
        EXPECT_NEAR(slope, expected, 1e-3 * expected + 1e-5) << layer << ", " << gate;
      }
    }
  }
}

TEST(Taylor, IsRefusedBeyondTheMemoryLimitBeforeItStarts) {
  const io::TempDir dir;
  const OpenModel model(TinyLlama{}.write(dir));
  const calibrate::CalibrationData data = some_data();
  Runtime runtime(1);
  SilentProgress quiet;
  const Survey survey{runtime, model.map, data, "fp32", quiet, 1000};
  try {
    gate_scores(survey, Slot::kDown, 1);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kResources);
    EXPECT_NE(std::string(error.what()).find("--memory-limit"), std::string::npos);
  }
}

TEST(Taylor, KeepsWhatTheLossNeeds) {
  const io::TempDir dir;
  const OpenModel model(
      TinyLlama{}.write(dir, "m", [](const std::string& name, std::vector<Bf16>& numbers) {
        if (!name.ends_with("down_proj.weight")) return;
        for (std::size_t i = 0; i < numbers.size(); ++i)
          if (i % 96 % 3 == 1) numbers[i] = to_bf16(0);
      }));
  const calibrate::CalibrationData data = some_data();
  Runtime runtime(2);
  SilentProgress quiet;
  Recipe recipe = parse_recipe(
      "steps: [drop_channels: {sparsity: 0.33334, multiple: 32, bias: false, score: taylor}]\n",
      "test");
  const auto steps = make_steps(recipe);
  std::vector<std::string> notes;
  const auto made = steps[0]->restructure({runtime, model.map, data, "fp32", quiet}, notes);
  EXPECT_EQ(made->config().at("intermediate_size"), 64);
  const std::vector<std::int32_t> tokens = {1, 17, 42, 99, 3, 8, 64};
  const auto was = reference::all_logits(runtime, *model.checkpoint, tokens);
  const auto is = reference::all_logits(runtime, *made, tokens);
  for (std::size_t i = 0; i < was.size(); ++i) ASSERT_NEAR(was[i], is[i], 1e-4);
}

}  // namespace
}  // namespace farthing::compress
