// Rotations keep the model: its logits, through embedding, blocks, final norm and head.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "compress/compress.h"
#include "compress/rotation.h"
#include "compress/step.h"
#include "model/model.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

using testing::Contains;
using testing::HasSubstr;

// R of a width, row by row: what becomes of the unit vectors.
Matrix<float> matrix_of(Runtime& runtime, const Rotation& rotation, bool down_columns) {
  const std::int64_t n = rotation.width();
  Matrix<float> unit(n, n);
  std::fill_n(unit.view().data, n * n, 0.0f);
  for (std::int64_t i = 0; i < n; ++i) unit.view().row_data(i)[i] = 1;
  if (down_columns)
    rotation.rotate_columns(runtime, unit.view());
  else
    rotation.rotate_rows(runtime, unit.view());
  return unit;
}

TEST(Rotation, IsOrthogonalAndTheSameDownColumns) {
  Runtime runtime(2);
  for (const std::int64_t most : {8, 64}) {
    Random random(5);
    const Rotation rotation(24, most, random);
    EXPECT_EQ(rotation.block(), most == 8 ? 8 : 24);
    const Matrix<float> rows = matrix_of(runtime, rotation, false);    // I R
    const Matrix<float> columns = matrix_of(runtime, rotation, true);  // R^T I
    for (std::int64_t i = 0; i < 24; ++i)
      for (std::int64_t j = 0; j < 24; ++j) {
        EXPECT_EQ(rows.view().row_data(i)[j], columns.view().row_data(j)[i]);
        double dot = 0;
        for (std::int64_t k = 0; k < 24; ++k)
          dot += double(rows.view().row_data(i)[k]) * double(rows.view().row_data(j)[k]);
        EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-6);
      }
  }
}

// A channel of 576, as SmolLM2 has them, reaches all others, none by more than root 2 of its share.
TEST(Rotation, SpreadsOneChannelOverAWidthThatIsNoPowerOfTwo) {
  Runtime runtime(1);
  Random random(5);
  const Rotation rotation(576, 1024, random);
  EXPECT_EQ(rotation.block(), 576);
  const Matrix<float> rows = matrix_of(runtime, rotation, false);
  for (std::int64_t i = 0; i < 576; ++i)
    for (const float share : rows.view().row(i)) {
      EXPECT_GT(std::abs(share), 0.1 / std::sqrt(576.0));
      EXPECT_LT(std::abs(share), 1.42 / std::sqrt(576.0));
    }
}

std::vector<float> logits_of(const std::string& path) {
  Runtime runtime(2);
  const auto checkpoint = io::Checkpoint::open(path);
  model::LoadOptions options;
  options.activations = ActivationMode::kF32;
  const auto model = model::Model::load(runtime, *checkpoint, options);
  const std::vector<cache::Token> tokens = {1, 5, 9, 33, 2, 8, 100, 4};
  cache::PagedKv kv = model->make_cache(kernels::KvType::kF32);
  const cache::SequenceSlice slice{kv.open(), 0, 8, 0};
  std::vector<std::int64_t> rows(8);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<float> all;
  model->forward(runtime, {tokens, {&slice, 1}, rows}, kv,
                 [&](std::int64_t, MatrixView<const float> logits) {
                   all.insert(all.end(), logits.data, logits.data + logits.rows * logits.cols);
                 });
  return all;
}

CompressReport rotate(const std::string& model, const std::string& out, const std::string& steps) {
  Runtime runtime(2);
  SilentProgress progress;
  const auto checkpoint = io::Checkpoint::open(model);
  Recipe recipe =
      parse_recipe("layers: [{match: \"re:.*\", scheme: fp32}]\nsteps: [" + steps + "]", "test");
  recipe.layers.push_back(make_rule("model.embed_tokens", "fp32", "test"));
  recipe.layers.push_back(make_rule("lm_head", "fp32", "test"));
  return compress(runtime, *checkpoint, out, std::move(recipe), {}, progress);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double wrong = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    wrong += std::pow(double(a[i]) - double(b[i]), 2);
    all += std::pow(double(a[i]), 2);
  }
  return wrong / all;
}

TEST(Rotate, KeepsTheLogits) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  for (const std::string steps :
       {"rotate", "rotate: {residual: false}", "rotate: {heads: false}"}) {
    SCOPED_TRACE(steps);
    const std::string out = dir.path("out" + std::to_string(steps.size()));
    rotate(model, out, steps.find(':') == std::string::npos ? steps : "{" + steps + "}");
    const double wrong = distance(logits_of(model), logits_of(out));
    EXPECT_LT(wrong, 1e-9);
    EXPECT_GT(wrong, 0);  // the numbers did change
  }
}

TEST(Rotate, UntiesATiedHeadAndSaysSo) {
  const io::TempDir dir;
  TinyLlama tiny;
  tiny.tied = true;
  const std::string model = tiny.write(dir);
  const CompressReport report = rotate(model, dir.path("out"), "rotate");
  EXPECT_THAT(report.notes, Contains(HasSubstr("lm_head becomes a matrix of its own")));
  const auto made = io::Checkpoint::open(dir.path("out"));
  EXPECT_NE(made->find("lm_head.weight"), nullptr);
  EXPECT_EQ(made->config()["tie_word_embeddings"], false);
  EXPECT_LT(distance(logits_of(model), logits_of(dir.path("out"))), 1e-9);
}

TEST(Rotate, StandsFirst) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  EXPECT_COMPLAINT(kBadInput, "must stand before",
                   rotate(model, dir.path("out"), "smooth, rotate"));
}

}  // namespace
}  // namespace farthing::compress
