// Pruning against independent implementations in numpy (tools/goldens/make_pruning.py): masks are
// equal, weights within 1e-4; and what every pruning promises whatever the scheme.
#include "compress/pruning.h"

#include <gmock/gmock.h>

#include <cmath>

#include "calibrate/statistics.h"
#include "compress/block.h"
#include "compress/compress.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/npy.h"

namespace farthing::compress {
namespace {

using testing::HasSubstr;

Matrix<float> golden(const std::string& name) {
  const auto array = reference::read_npy<float>(std::string(FARTHING_SOURCE_DIR) +
                                                "/tests/golden/pruning/" + name + ".npy");
  Matrix<float> matrix(array.shape.at(0), array.shape.size() > 1 ? array.shape.at(1) : 1);
  std::copy(array.values.begin(), array.values.end(), matrix.view().data);
  return matrix;
}

calibrate::LinearStatistics golden_statistics() {
  Runtime runtime(2);
  const Matrix<float> x = golden("x");
  calibrate::Accumulator sum(x.view().cols, calibrate::kHessian | calibrate::kMoments,
                             x.view().rows);
  sum.add(runtime, x.view());
  return sum.finish(runtime);
}

PlannedUnit unit_of(MatrixView<const float> w, std::string_view scheme) {
  PlannedUnit unit;
  unit.unit.slot = model::Slot::kQ;
  unit.unit.layer = 0;
  unit.base = "q";
  unit.shape = {w.rows, w.cols};
  unit.scheme = parse_scheme(scheme).weights;
  return unit;
}

std::vector<std::unique_ptr<Step>> steps_of(const std::string& steps) {
  Recipe recipe = parse_recipe("steps:\n" + steps, "test");
  return make_steps(recipe);
}

void expect_near(MatrixView<const float> got, MatrixView<const float> want, float bound) {
  ASSERT_EQ(got.rows, want.rows);
  float largest = 0;
  for (std::int64_t i = 0; i < want.rows * want.cols; ++i)
    largest = std::max(largest, std::abs(want.data[i]));
  for (std::int64_t r = 0; r < got.rows; ++r)
    for (std::int64_t j = 0; j < got.cols; ++j) {
      const float g = got.row_data(r)[j], w = want.row_data(r)[j];
      ASSERT_EQ(g == 0, w == 0) << "row " << r << ", column " << j << ": " << g << " " << w;
      ASSERT_NEAR(g, w, bound * largest) << "row " << r << ", column " << j;
    }
}

struct Masked {
  std::string step, golden;
};
class PrunesByScore : public testing::TestWithParam<Masked> {};
TEST_P(PrunesByScore, AsNumpyDoes) {
  Runtime runtime(2);
  const auto statistics = golden_statistics();
  const bool weighs = GetParam().golden.starts_with("wanda");
  const Matrix<float> w = golden("w"), want = golden(GetParam().golden);
  const Setting options = parse_yaml(GetParam().step, "test");
  const PruningOptions read =
      read_pruning_options(options, "x", weighs ? Compare::kRow : Compare::kMatrix);
  BlockMatrix matrix;
  matrix.values = golden("w");
  prune_matrix(runtime, matrix,
               weighs ? std::span<const float>(statistics.square) : std::span<const float>(),
               read.sparsity, read.compare);
  for (std::int64_t i = 0; i < want.view().rows * want.view().cols; ++i)
    ASSERT_EQ(matrix.values.view().data[i], want.view().data[i]) << i;
  EXPECT_TRUE(matrix.edited);
}
INSTANTIATE_TEST_SUITE_P(All, PrunesByScore,
                         testing::Values(Masked{"sparsity: 0.5", "magnitude_0.5"},
                                         Masked{"sparsity: \"2:4\"", "magnitude_2to4"},
                                         Masked{"sparsity: 0.5", "wanda_0.5"},
                                         Masked{"sparsity: 0.7", "wanda_0.7"},
                                         Masked{"{sparsity: 2:4}", "wanda_2to4"},
                                         Masked{"sparsity: 4:8", "wanda_4to8"}));

struct Swept {
  std::string options, scheme, golden;
};
class SparseGpt : public testing::TestWithParam<Swept> {};
TEST_P(SparseGpt, AsNumpyDoes) {
  const auto statistics = golden_statistics();
  const Matrix<float> w = golden("w"), want = golden(GetParam().golden);
  for (const int threads : {1, 2}) {
    Runtime runtime(threads);
    const auto steps =
        steps_of("  - sparsegpt: {block: 32, range: minmax, " + GetParam().options + "}\n");
    Plan plan;
    plan.units.push_back(unit_of(w.view(), GetParam().scheme));
    steps[0]->prepare(plan);
    const PlannedUnit& unit = plan.units[0];
    EXPECT_EQ(steps[0]->statistics(unit), calibrate::kHessian);
    QuantizedTensor made = allocate_tensor(unit.shape, unit.scheme);
    steps[0]->rounder(runtime, unit, &statistics)->round(0, w.view(), made, 0);
    Matrix<float> got(w.view().rows, w.view().cols);
    made.format->dequantize(made, 0, got.view());
    expect_near(got.view(), want.view(), 1e-4f);
  }
}
INSTANTIATE_TEST_SUITE_P(All, SparseGpt,
                         testing::Values(Swept{"sparsity: 0.5", "fp32", "sparsegpt_0.5"},
                                         Swept{"sparsity: 0.7", "fp32", "sparsegpt_0.7"},
                                         Swept{"sparsity: 0.5, compare: row", "fp32",
                                               "sparsegpt_rows_0.5"},
                                         Swept{"sparsity: 2:4", "fp32", "sparsegpt_2to4"},
                                         Swept{"sparsity: 4:8", "fp32", "sparsegpt_4to8"},
                                         Swept{"sparsity: 0.5", "w4c", "sparsegpt_0.5_w4c"},
                                         Swept{"sparsity: 2:4", "w4c", "sparsegpt_2to4_w4c"}));

TEST(Pruning, RatiosOfLayersFallWithTheirShareOfOutliers) {
  const Matrix<float> shares = golden("owl_shares"), want = golden("owl_0.6");
  const std::vector<double> in(shares.view().data, shares.view().data + shares.view().rows);
  const std::vector<double> got = spread_ratios(in, 0.6, 0.08);
  for (std::size_t l = 0; l < got.size(); ++l) EXPECT_NEAR(got[l], want.view().data[l], 1e-6);
  EXPECT_EQ(spread_ratios({1.0, 1.0}, 0.5, 0.08), (std::vector<double>{0.5, 0.5}));
}

// Every combination through compress(): the share of exact zeros of each matrix of the artefact.
struct Whole {
  std::string steps, scheme;
  double zeros;
};
class PrunedArtefact : public testing::TestWithParam<Whole> {};
TEST_P(PrunedArtefact, HasItsZerosOnTheGrid) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  Runtime runtime(2);
  SilentProgress quiet;
  Recipe recipe = parse_recipe("layers: [{match: \"re:.*\", scheme: " + GetParam().scheme +
                                   "}]\nsteps:\n" + GetParam().steps,
                               "test");
  const auto checkpoint = io::Checkpoint::open(model);
  CompressOptions options;
  options.plan.portable = false;
  compress(runtime, *checkpoint, dir.path("out"), recipe, options, quiet);
  const OpenModel out(dir.path("out"));
  for (const model::TensorUnit& unit : out.map.linears()) {
    if (!model::in_block(unit.slot)) continue;
    const std::vector<float> w = out.floats(unit.base);
    const auto zeros = std::count(w.begin(), w.end(), 0.0f);
    EXPECT_GE(static_cast<double>(zeros) / static_cast<double>(w.size()), GetParam().zeros)
        << unit.base;
    // Rounding puts more on zero, but most of the rest stays.
    EXPECT_LE(static_cast<double>(zeros) / static_cast<double>(w.size()), GetParam().zeros + 0.3);
  }
}
const std::string kMagnitude = "  - magnitude: {sparsity: 0.5}\n";
INSTANTIATE_TEST_SUITE_P(
    All, PrunedArtefact,
    testing::Values(Whole{kMagnitude, "bf16", 0.5}, Whole{kMagnitude, "w8c", 0.5},
                    Whole{kMagnitude, "w4g32-asym", 0.5}, Whole{kMagnitude, "nf4g64", 0.5},
                    Whole{"  - magnitude: {sparsity: 2:4}\n", "w3g32-asym", 0.5}));

TEST(Pruning, BadOptionsAreOneClearSentence) {
  const auto refused = [](const std::string& step) -> std::string {
    try {
      steps_of("  - " + step + "\n");
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kBadInput);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused("wanda: {sparsity: 1.5}"),
              HasSubstr("sparsity must be a share of the weights from 0 to below 1, or N:M as 2:4; "
                        "got 1.5"));
  EXPECT_THAT(refused("wanda: {sparsity: -0.1}"), HasSubstr("got -0.1"));
  EXPECT_THAT(refused("wanda: {sparsity: nan}"), HasSubstr("nan"));
  EXPECT_THAT(refused("magnitude: {sparsity: 4:2}"), HasSubstr("sparsity 4:2 must be N:M"));
  EXPECT_THAT(refused("magnitude: {sparsity: \"0:4\"}"), HasSubstr("with 0 < N < M"));
  EXPECT_THAT(refused("sparsegpt: {sparsity: 2:x}"), HasSubstr("2:x"));
  EXPECT_THAT(refused("wanda: {sparsity: 2:4, ratios: owl}"),
              HasSubstr("give a ratio, or ratios: uniform"));
  EXPECT_THAT(refused("wanda: {share: 0.5}"), HasSubstr("has no key \"share\""));
}

TEST(Pruning, APatternMustDivideTheRow) {
  Plan plan;
  Matrix<float> w(4, 30);
  plan.units.push_back(unit_of(w.view(), "bf16"));
  const auto steps = steps_of("  - wanda: {sparsity: 4:8}\n");
  try {
    steps[0]->prepare(plan);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("q: 4:8 keeps 4 of every 8 inputs, but its rows have 30"));
  }
}

TEST(Pruning, NeedsAnExactZeroOnTheGrid) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  Runtime runtime(1);
  SilentProgress quiet;
  const auto checkpoint = io::Checkpoint::open(model);
  Recipe recipe = parse_recipe(
      "layers: [{match: \"re:.*\", scheme: w4g32-asymf}]\nsteps: [magnitude: {sparsity: 0.5}]\n",
      "test");
  CompressOptions options;
  options.plan.portable = false;
  try {
    compress(runtime, *checkpoint, dir.path("out"), recipe, options, quiet);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("has no exact zero on its grid"));
  }
}

TEST(Pruning, ASweepAfterItKeepsItsZeros) {
  const auto statistics = golden_statistics();
  Matrix<float> w = golden("wanda_0.5");
  Runtime runtime(2);
  const auto steps = steps_of("  - wanda: {sparsity: 0.5}\n  - gptq\n");
  Plan plan;
  plan.units.push_back(unit_of(w.view(), "w4g16"));
  for (const auto& step : steps) step->prepare(plan);
  QuantizedTensor made = allocate_tensor(plan.units[0].shape, plan.units[0].scheme);
  steps[1]->rounder(runtime, plan.units[0], &statistics)->round(0, w.view(), made, 0);
  Matrix<float> got(w.view().rows, w.view().cols);
  made.format->dequantize(made, 0, got.view());
  for (std::int64_t i = 0; i < w.view().rows * w.view().cols; ++i) {
    if (w.view().data[i] == 0) {
      EXPECT_EQ(got.view().data[i], 0.0f);
    }
  }
}

}  // namespace
}  // namespace farthing::compress
