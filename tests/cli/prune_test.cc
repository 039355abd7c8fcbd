// Pruning of the demo model as a user runs it.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

Outcome prune(const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"compress", kDemo, out, "--samples", "4", "--length", "64"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, {});
}

// Zeros of a matrix of an artefact, and whether each row, or each four of a row, has as many as
// `least`.
void expect_zeros(const std::string& path, std::int64_t of, std::int64_t least) {
  const OpenModel out(path);
  for (const model::TensorUnit& unit : out.map.linears()) {
    if (!model::in_block(unit.slot)) continue;
    const std::vector<float> w = out.floats(unit.base);
    const std::int64_t width = of > 0 ? of : out.checkpoint->matrix(unit.base)->shape.cols;
    const std::int64_t wanted = of > 0 ? least : width / 2;
    for (auto row = w.begin(); row != w.end(); row += width)
      ASSERT_GE(std::count(row, row + width, 0.0f), wanted) << unit.base << " " << row - w.begin();
  }
}

TEST(Prune, GivesTheSameBytesOnAnyNumberOfThreads) {
  const io::TempDir dir;
  const std::vector<std::string> method = {"--scheme",  "w4g64",      "--method",
                                           "sparsegpt", "--sparsity", "2:4"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), method.begin(), method.end());
    return more;
  };
  const Outcome one = prune(dir.path("one"), with({"--threads", "1"}));
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(prune(dir.path("two"), with({"--threads", "2"})).code, 0);
  EXPECT_EQ(files_of(dir.path("one")), files_of(dir.path("two")));
  EXPECT_THAT(files_of(dir.path("one")).at("farthing.json"),
              HasSubstr("sparsegpt: {sparsity: 2:4}"));
  expect_zeros(dir.path("one"), 4, 2);
}

TEST(Prune, LeavesWeightsInTheirTypeWithoutAScheme) {
  const io::TempDir dir;
  const Outcome pruned = prune(dir.path("out"), {"--method", "wanda", "--sparsity", "0.5"});
  ASSERT_EQ(pruned.code, 0) << pruned.err;
  EXPECT_EQ(files_of(dir.path("out")).at("config.json").find("quantization_config"),
            std::string::npos);
  expect_zeros(dir.path("out"), 0, 0);
}

TEST(Prune, JoinsAMaskWithASweepThatKeepsIt) {
  const io::TempDir dir;
  const Outcome pruned =
      prune(dir.path("out"), {"--scheme", "w4g64", "--method", "wanda+gptq", "--sparsity", "0.5"});
  ASSERT_EQ(pruned.code, 0) << pruned.err;
  expect_zeros(dir.path("out"), 0, 0);
}

TEST(Prune, GivesLayersTheirOwnRatios) {
  const io::TempDir dir;
  const Outcome pruned = prune(dir.path("out"), {"--method", "wanda-owl", "--sparsity", "0.6"});
  ASSERT_EQ(pruned.code, 0) << pruned.err;
  const OpenModel out(dir.path("out"));
  std::map<int, double> zeros, all;
  for (const model::TensorUnit& unit : out.map.linears()) {
    if (!model::in_block(unit.slot)) continue;
    const std::vector<float> w = out.floats(unit.base);
    zeros[unit.layer] += static_cast<double>(std::count(w.begin(), w.end(), 0.0f));
    all[unit.layer] += static_cast<double>(w.size());
  }
  double mean = 0, least = 1, most = 0;
  for (const auto& [layer, count] : zeros) {
    const double ratio = count / all[layer];
    mean += ratio / static_cast<double>(zeros.size());
    least = std::min(least, ratio);
    most = std::max(most, ratio);
  }
  EXPECT_NEAR(mean, 0.6, 0.005);
  EXPECT_GT(most - least, 0.1);
  EXPECT_LT(most - least, 0.17);
}

TEST(Prune, BadOptionsAreOneClearSentence) {
  const io::TempDir dir;
  const Outcome alone = prune(dir.path("out"), {"--scheme", "w4g64", "--sparsity", "0.5"});
  EXPECT_EQ(alone.code, 2);
  EXPECT_THAT(alone.err,
              HasSubstr("--sparsity 0.5: no step takes weights out; add one to --method"));
  const Outcome much = prune(dir.path("out"), {"--method", "wanda", "--sparsity", "1.5"});
  EXPECT_EQ(much.code, 3);
  EXPECT_THAT(much.err, HasSubstr("sparsity must be a share of the weights from 0 to below 1"));
  const Outcome pattern = prune(dir.path("out"), {"--method", "wanda", "--sparsity", "3:7"});
  EXPECT_EQ(pattern.code, 3);
  EXPECT_THAT(pattern.err, HasSubstr("which 7 does not divide"));
}

}  // namespace
}  // namespace farthing::cli
