// What enters the head: the statistics by which it, or an embedding that is tied to it, is rounded.
#include <gtest/gtest.h>

#include <cmath>

#include "compress/calibrated_blocks.h"
#include "model/model.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kSamples = 6, kLength = 20;

calibrate::CalibrationData random_data(int vocab) {
  calibrate::CalibrationData data;
  Random random(3);
  for (std::int64_t s = 0; s < kSamples; ++s) {
    data.samples.emplace_back();
    for (std::int64_t i = 0; i < kLength; ++i)
      data.samples.back().tokens.push_back(static_cast<cache::Token>(random.uniform() * vocab));
  }
  return data;
}

// The unit that is the head, by the recipe's steps.
struct Head {
  explicit Head(const std::string& path, const std::string& words)
      : model(path),
        recipe(parse_recipe(words, "test")),
        steps(make_steps(recipe)),
        plan(make_plan(recipe, model.map, {})),
        data(random_data(static_cast<int>(model.config.vocab))) {
    for (const auto& step : steps) {
      step->prepare(plan);
      step->prepare_model(plan, model.map);
    }
    CalibrationOptions options;
    options.kv = "fp32";
    blocks.emplace(runtime, model.map, plan, steps, data, options);
    for (int layer = 0; layer < model.config.layers; ++layer) blocks->compress(layer);
    for (const PlannedUnit& each : plan.units)
      if (each.is_head()) unit = &each;
    inputs = blocks->head_inputs(*unit);
  }
  // Row r of what is rounded, as floats.
  Matrix<float> rows() {
    const QuantizedTensor stored = model.map.load(unit->unit);
    Matrix<float> values(stored.shape.rows, stored.shape.cols);
    stored.format->dequantize(stored, 0, values.view());
    for (const auto& step : steps) step->transform_rows(*unit, values.view());
    return values;
  }
  // The mean over tokens of (row . input)^2.
  double square(std::span<const float> row) const {
    double sum = 0;
    const auto h = inputs->hessian.view();
    for (std::int64_t i = 0; i < h.rows; ++i)
      for (std::int64_t j = 0; j < h.cols; ++j)
        sum += double(row[static_cast<std::size_t>(i)]) * double(h.row_data(i)[j]) *
               double(row[static_cast<std::size_t>(j)]);
    return sum;
  }
  double rounding_error(Step& step) {
    const Matrix<float> exact = rows();
    QuantizedTensor made = allocate_tensor(exact.shape(), unit->scheme);
    step.rounder(runtime, *unit, inputs)->round(0, exact.view(), made, 0);
    Matrix<float> error(exact.shape().rows, exact.shape().cols);
    made.format->dequantize(made, 0, error.view());
    double sum = 0;
    for (std::int64_t r = 0; r < exact.shape().rows; ++r) {
      for (std::int64_t j = 0; j < exact.shape().cols; ++j)
        error.view().row_data(r)[j] -= exact.view().row_data(r)[j];
      sum += square(error.view().row(r));
    }
    return sum;
  }

  Runtime runtime{2};
  OpenModel model;
  Recipe recipe;
  std::vector<std::unique_ptr<Step>> steps;
  Plan plan;
  calibrate::CalibrationData data;
  std::optional<CalibratedBlocks> blocks;
  const PlannedUnit* unit = nullptr;
  const calibrate::LinearStatistics* inputs = nullptr;
};

std::string head_alone(bool tied) {
  return std::string("layers: [{match: ") + (tied ? "model.embed_tokens" : "lm_head") +
         ", scheme: w4g32}]\nsteps: [gptq]";
}

// The mean over all tokens of x x^T, x = weight * h / rms(h), from the whole model's hidden states.
std::vector<double> expected_hessian(Head& head, const TinyLlama& tiny) {
  const auto model = model::Model::load(head.runtime, head.model.map.checkpoint());
  const auto n = static_cast<std::size_t>(tiny.hidden);
  const auto gains = tiny.tensors().at("model.norm.weight").values;
  std::vector<double> sum(n * n);
  for (const calibrate::Sample& sample : head.data.samples) {
    cache::PagedKv kv = model->make_cache(kernels::KvType::kF32);
    const cache::SequenceSlice slice{kv.open(), 0, kLength, 0};
    kv.extend(slice.sequence, kLength);
    const cache::Batch batch{sample.tokens, {&slice, 1}, {}};
    Matrix<float> hidden(kLength, tiny.hidden);
    model->embed(head.runtime, batch, hidden.view());
    model->run_blocks(head.runtime, batch, kv, 0, tiny.layers, hidden.view());
    for (std::int64_t t = 0; t < kLength; ++t) {
      const auto row = hidden.view().row(t);
      double square = 1e-5 * static_cast<double>(n);
      for (const float h : row) square += double(h) * double(h);
      const double scale = 1 / std::sqrt(square / static_cast<double>(n));
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          sum[i * n + j] += double(row[i]) * double(to_float(gains[i])) * double(row[j]) *
                            double(to_float(gains[j])) * scale * scale / (kSamples * kLength);
    }
  }
  return sum;
}

TEST(HeadInputs, AreTheHiddenStatesBehindTheLastNorm) {
  for (const bool tied : {false, true}) {
    SCOPED_TRACE(tied ? "tied" : "untied");
    const io::TempDir dir;
    const TinyLlama tiny{.tied = tied};
    Head head(tiny.write(dir), head_alone(tied));
    ASSERT_NE(head.inputs, nullptr);
    EXPECT_EQ(head.inputs->tokens, kSamples * kLength);
    const std::vector<double> want = expected_hessian(head, tiny);
    const auto got = head.inputs->hessian.view();
    ASSERT_EQ(got.rows, tiny.hidden);
    for (std::int64_t i = 0; i < got.rows; ++i)
      for (std::int64_t j = 0; j < got.cols; ++j)
        EXPECT_NEAR(double(got.row_data(i)[j]), want[static_cast<std::size_t>(i * got.cols + j)],
                    1e-4);
  }
}

TEST(HeadInputs, LowerTheErrorOfLogits) {
  const io::TempDir dir;
  Head head(TinyLlama{}.write(dir), head_alone(false));
  Recipe nearest = parse_recipe("layers: [{match: lm_head, scheme: w4g32}]\nsteps: [rtn]", "test");
  const auto rtn = make_steps(nearest);
  EXPECT_LT(head.rounding_error(*head.steps.back()), 0.8 * head.rounding_error(*rtn.back()));
}

// Rotated states, the final norm's gains in the head: the logits are the same, and so are the means
// of their squares, but for the blocks' rotated weights, which become BF16.
TEST(HeadInputs, AreThoseOfTheRotatedModel) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Head plain(path, head_alone(false));
  Head rotated(path, "layers: [{match: lm_head, scheme: w4g32}]\nsteps: [rotate, gptq]");
  const Matrix<float> a = plain.rows(), b = rotated.rows();
  for (std::int64_t r = 0; r < a.shape().rows; ++r) {
    const double want = plain.square(a.view().row(r));
    EXPECT_NEAR(rotated.square(b.view().row(r)), want, 1e-2 * want);
  }
}

TEST(HeadInputs, AreOfNoUseToAnEmbeddingThatIsNoHead) {
  const io::TempDir dir;
  Head head(TinyLlama{}.write(dir),
            "layers: [{match: lm_head, scheme: w4g32}, "
            "{match: model.embed_tokens, scheme: w4g32}]\nsteps: [gptq]");
  for (const PlannedUnit& unit : head.plan.units)
    if (unit.unit.layer < 0) {
      EXPECT_EQ(head.blocks->head_inputs(unit) != nullptr, unit.is_head()) << unit.base;
    }
}

}  // namespace
}  // namespace farthing::compress
