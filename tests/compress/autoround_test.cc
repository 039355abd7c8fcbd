// Learned rounding against its definition in doubles, and through whole compressions.
#include <gmock/gmock.h>

#include <cmath>

#include "compress/block.h"
#include "compress/learned_rounding.h"
#include "compress/step.h"
#include "core/random.h"
#include "tests/compress/tiny_llama.h"
#include "train/block.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kRows = 5, kInputs = 32, kGroup = 16;

Matrix<float> bell(std::uint64_t seed) {
  Matrix<float> m(kRows, kInputs);
  Random random(seed);
  for (std::int64_t i = 0; i < kRows * kInputs; ++i)
    m.view().data[i] =
        static_cast<float>(random.uniform() + random.uniform() + random.uniform() - 1.5);
  return m;
}

WeightScheme scheme_of(std::string_view name) { return parse_scheme(name).weights; }

std::vector<float> applied(const LearnedRounding& rounding) {
  Runtime runtime(1);
  std::vector<float> values(kRows * kInputs);
  rounding.apply(runtime, {values.data(), kRows, kInputs});
  return values;
}
std::vector<float> written(const LearnedRounding& rounding, const WeightScheme& scheme) {
  QuantizedTensor tensor = allocate_tensor({kRows, kInputs}, scheme);
  for (std::int64_t r = 0; r < kRows; ++r) rounding.write(r, tensor, r);
  std::vector<float> values(kRows * kInputs);
  tensor.format->dequantize(tensor, 0, {values.data(), kRows, kInputs});
  return values;
}

TEST(LearnedRounding, StartsAsNearestRoundingAndWritesWhatItApplies) {
  for (const char* name : {"w4g16", "w3g16-asym", "w2g16", "w8c"}) {
    const WeightScheme scheme = scheme_of(name);
    Runtime runtime(2);
    const Matrix<float> w = bell(1), gradient = bell(2);
    LearnedRounding rounding(runtime, w.view(), scheme, RoundMethod::kScaleSearch, {});
    QuantizedTensor nearest = allocate_tensor({kRows, kInputs}, scheme);
    nearest.format->quantize(nearest, 0, w.view(), {});
    std::vector<float> expected(kRows * kInputs);
    nearest.format->dequantize(nearest, 0, {expected.data(), kRows, kInputs});
    EXPECT_EQ(applied(rounding), expected) << name;
    for (int i = 0; i < 5; ++i) rounding.step(runtime, gradient.view(), 0.1f);
    EXPECT_NE(applied(rounding), expected) << name;
    EXPECT_EQ(written(rounding, scheme), applied(rounding)) << name;
    rounding.reset();
    EXPECT_EQ(applied(rounding), expected) << name;
  }
}

// The codes after some steps, by the formulas and nothing else: symmetric, 4 bits, scales in FP32
// so that their rounding does not matter.
TEST(LearnedRounding, MovesOffsetsAndScalesAsTheFormulasSay) {
  WeightScheme scheme = scheme_of("w4g16");
  scheme.scale = ScaleType::kF32;
  Runtime runtime(1);
  const Matrix<float> w = bell(3), gradient = bell(4);
  LearnedRounding rounding(runtime, w.view(), scheme, RoundMethod::kMinMax, {});
  QuantizedTensor start = allocate_tensor({kRows, kInputs}, scheme);
  start.format->quantize(start, 0, w.view(), {.method = RoundMethod::kMinMax, .importance = {}});
  for (int i = 0; i < 3; ++i) rounding.step(runtime, gradient.view(), 0.07f);
  const auto got = applied(rounding);
  for (std::int64_t r = 0; r < kRows; ++r) {
    std::vector<std::uint8_t> codes(kInputs);
    std::vector<float> scales(2), offsets(2);
    start.format->read_grid(start, r, {.codes = codes, .scales = scales, .offsets = offsets});
    for (std::int64_t g = 0; g < 2; ++g) {
      const double first = scales[static_cast<std::size_t>(g)];
      double factor = 1, offset[kGroup] = {}, code[kGroup] = {};
      const auto round_all = [&] {
        for (int j = 0; j < kGroup; ++j)
          code[j] =
              std::nearbyint(w.view().row_data(r)[g * kGroup + j] / (first * factor) + offset[j]);
      };
      for (int i = 0; i < 3; ++i) {
        round_all();
        double slope = 0;
        for (int j = 0; j < kGroup; ++j) {
          const double d = gradient.view().row_data(r)[g * kGroup + j], scale = first * factor;
          const double x = w.view().row_data(r)[g * kGroup + j];
          const double held = std::clamp(code[j], -8.0, 7.0);
          slope += d * (held - (held == code[j] ? x / scale : 0));
          if (held == code[j]) offset[j] -= 0.07 * (d * scale > 0 ? 1 : -1);
          offset[j] = std::clamp(offset[j], -0.5, 0.5);
        }
        factor -= 0.07 * (slope * first > 0 ? 1 : -1);
      }
      round_all();
      for (int j = 0; j < kGroup; ++j)
        EXPECT_NEAR(got[static_cast<std::size_t>(r * kInputs + g * kGroup + j)],
                    first * factor * std::clamp(code[j], -8.0, 7.0), 1e-4)
            << r << " " << g << " " << j;
    }
  }
}

TEST(LearnedRounding, KeepsWeightsThatWereTakenOut) {
  Runtime runtime(1);
  Matrix<float> w = bell(5);
  for (std::int64_t i = 0; i < kRows * kInputs; i += 2) w.view().data[i] = 0;
  const Matrix<float> gradient = bell(6);
  LearnedRounding rounding(runtime, w.view(), scheme_of("w3g16-asym"), RoundMethod::kScaleSearch,
                           {});
  for (int i = 0; i < 20; ++i) rounding.step(runtime, gradient.view(), 0.1f);
  const auto values = applied(rounding);
  for (std::size_t i = 0; i < values.size(); i += 2) EXPECT_EQ(values[i], 0.0f);
}

// Blocks of several architectures, whose rows lie in other orders than their outputs.
class LearnedBlocks : public testing::TestWithParam<const char*> {};

TEST_P(LearnedBlocks, GiveEachStoredRowItsOwnCodesAndMissTheirOutputByLess) {
  Runtime runtime(2);
  const OpenModel model(std::string(FARTHING_SOURCE_DIR "/tests/golden/architectures/") +
                        GetParam());
  Recipe recipe = parse_recipe(
      "layers: [{match: \"re:.*\", scheme: w3g16}]\nsteps: [{autoround: {iterations: 40}}]\n",
      "test");
  const Plan plan = make_plan(recipe, model.map, {.portable = false});
  const auto steps = make_steps(recipe);
  Block block(runtime, model.map, plan, 1);

  // What enters is noise; what should come out is what the float block makes of it.
  train::ParameterSet set(train::ParameterSet::Use::kGradients);
  const train::BlockWeights weights = train::load_block_weights(model.map, 1, set);
  const train::Positions positions(model.map);
  train::BlockOperator op(runtime, model.config);
  const std::vector<std::int64_t> lengths = {9, 12, 7, 20, 16, 8, 11, 13, 12};
  const train::SequenceBatch rows = positions.batch(lengths);
  Matrix<float> in(rows.rows(), model.config.hidden), out(rows.rows(), model.config.hidden);
  Random random(8);
  for (std::int64_t i = 0; i < in.shape().size(); ++i)
    in.view().data[i] = static_cast<float>(2 * random.uniform() - 1);
  op.forward(weights, 1, rows, std::as_const(in).view(), out.view());
  steps[0]->learn(runtime, block, {model.map, lengths, in.view(), out.view()});

  // The rounded block's squared error, its matrices through the rounders of a step.
  Recipe plain_recipe = parse_recipe("layers: []\nsteps: [rtn]\n", "test");
  const auto nearest = make_steps(plain_recipe);
  const auto error_of = [&](Step& step) {
    for (const Block::Place& place : block.places()) {
      const auto stored = block.load(place).values.view();
      QuantizedTensor made = allocate_tensor({stored.rows, stored.cols}, place.unit->scheme);
      step.rounder(runtime, *place.unit, nullptr)->round(0, stored, made, 0);
      Matrix<float> back(stored.rows, stored.cols);
      made.format->dequantize(made, 0, back.view());
      const auto& order = block.load(place).order;
      train::Parameter& parameter = *set.find_matrix(place.unit->base);
      double wrong = 0, all = 0;
      for (std::int64_t r = 0; r < stored.rows; ++r) {
        const std::int64_t from = order.empty() ? r : order[static_cast<std::size_t>(r)];
        std::copy_n(back.view().row_data(from), stored.cols, parameter.value.view().row_data(r));
        for (std::int64_t j = 0; j < stored.cols; ++j) {
          wrong += std::pow(static_cast<double>(back.view().row_data(r)[j]) -
                                static_cast<double>(stored.row_data(r)[j]),
                            2);
          all += std::pow(static_cast<double>(stored.row_data(r)[j]), 2);
        }
      }
      EXPECT_LT(wrong, 0.15 * all) << place.unit->base;
    }
    Matrix<float> got(rows.rows(), model.config.hidden);
    op.forward(weights, 1, rows, std::as_const(in).view(), got.view());
    double sum = 0;
    for (std::int64_t i = 0; i < got.shape().size(); ++i)
      sum += std::pow(
          static_cast<double>(got.view().data[i]) - static_cast<double>(out.view().data[i]), 2);
    return sum;
  };
  const double plain = error_of(*nearest[0]);
  EXPECT_LT(error_of(*steps[0]), 0.9 * plain);
}

INSTANTIATE_TEST_SUITE_P(Architectures, LearnedBlocks,
                         testing::Values("llama-gqa", "gpt2", "bloom", "falcon-40b",
                                         "gpt-neox-parallel", "phi3-window", "gemma2", "opt"),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(AutoRound, RefusesExperts) {
  const OpenModel model(FARTHING_SOURCE_DIR "/tests/golden/architectures/mixtral");
  Recipe recipe =
      parse_recipe("layers: [{match: \"re:.*\", scheme: w4g16}]\nsteps: [autoround]\n", "test");
  Plan plan = make_plan(recipe, model.map, {});
  EXPECT_COMPLAINT(kUnsupported, "experts", make_steps(recipe)[0]->prepare(plan));
}

}  // namespace
}  // namespace farthing::compress
