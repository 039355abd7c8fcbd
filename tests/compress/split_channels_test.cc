// Channels of MLPs sorted by what they matter, and gate and up in parts of their rows.
#include <gmock/gmock.h>

#include <cmath>

#include "compress/compress.h"
#include "compress/restructure.h"
#include "core/error.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"
#include "tests/reference/cases.h"

namespace farthing::compress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

calibrate::CalibrationData some_data(int vocab) {
  calibrate::CalibrationData data;
  Random random(5);
  for (int s = 0; s < 4; ++s) {
    calibrate::Sample sample;
    for (int t = 0; t < 24; ++t)
      sample.tokens.push_back(static_cast<text::Token>(random.uniform() * (vocab - 1)));
    data.samples.push_back(std::move(sample));
  }
  return data;
}

Restructured split(const io::Checkpoint& whole, const std::string& steps_text) {
  Runtime runtime(2);
  SilentProgress quiet;
  Recipe recipe = parse_recipe("steps: [" + steps_text + "]\n", "test");
  const auto steps = make_steps(recipe);
  calibrate::CalibrationData data;
  return restructure(
      runtime, whole, steps,
      [&](const io::Checkpoint&, const model::ModelConfig& config) -> const auto& {
        data = some_data(static_cast<int>(config.vocab));
        return data;
      },
      "fp32", 0, quiet);
}

std::vector<float> logits_of(const io::Checkpoint& checkpoint) {
  Runtime runtime(2);
  const std::vector<std::int32_t> tokens = {1, 17, 42, 30, 3, 8, 21};
  return reference::all_logits(runtime, checkpoint, tokens);
}

std::string problem_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The down projection of 256 channels reads only each fourth of them.
std::string sparse_model(const io::TempDir& dir) {
  return TinyLlama{.layers = 2, .intermediate = 256}.write(
      dir, "model", [](const std::string& name, std::vector<Bf16>& numbers) {
        if (name.find("down_proj") == std::string::npos) return;
        for (std::size_t i = 0; i < numbers.size(); ++i)
          if (i % 256 % 4 != 0) numbers[i] = to_bf16(0);
      });
}

TEST(SplitChannels, BringsThoseThatMatterToTheFront) {
  const io::TempDir dir;
  const OpenModel model(sparse_model(dir));
  const auto parts = split(*model.checkpoint, "split_channels: {at: [0.25, 0.5]}");
  EXPECT_THAT(parts.notes, ElementsAre(HasSubstr("sorted and cut at 64, 128")));
  const io::Checkpoint& made = parts.last(*model.checkpoint);
  const auto rows = [&](const std::string& base, const io::Checkpoint& of) {
    const auto matrix = of.matrix(base).value();
    std::vector<std::vector<float>> all;
    for (std::int64_t r = 0; r < matrix.shape.rows; ++r) {
      all.emplace_back(static_cast<std::size_t>(matrix.shape.cols));
      matrix.format->dequantize(matrix, r, {all.back().data(), 1, matrix.shape.cols});
    }
    return all;
  };
  for (const std::string base : {"model.layers.0.mlp.gate_proj", "model.layers.1.mlp.up_proj"}) {
    const auto whole = rows(base, *model.checkpoint);
    const auto first = rows(base + ".rows.0", made), last = rows(base + ".rows.2", made);
    ASSERT_EQ(first.size(), 64u);
    ASSERT_EQ(last.size(), 128u);
    for (std::size_t r = 0; r < whole.size(); ++r)
      EXPECT_EQ(std::ranges::count(first, whole[r]), r % 4 == 0 ? 1 : 0) << base << " " << r;
  }
  const auto was = logits_of(*model.checkpoint), is = logits_of(made);
  for (std::size_t i = 0; i < was.size(); ++i)
    ASSERT_NEAR(was[i], is[i], 1e-4 * (1 + std::abs(was[i])));  // sums in another order
}

TEST(SplitChannels, GivesAPrecisionAPart) {
  const io::TempDir dir;
  const std::string source = sparse_model(dir);
  Runtime runtime(2);
  SilentProgress quiet;
  CompressOptions options;
  options.plan.portable = false;
  const auto error_of = [&](const std::string& name, const std::string& rules) {
    // Split first, by hand: what compress() does with a tokenizer's data.
    const auto whole = io::Checkpoint::open(source);
    const auto parts = split(*whole, "split_channels: {at: [0.25]}");
    compress::compress(runtime, parts.last(*whole), dir.path(name),
                       parse_recipe("layers: [{match: 're:.*', scheme: keep}" + rules + "]\n",
                                    "test"),
                       options, quiet);
    const auto was = logits_of(*whole), is = logits_of(*io::Checkpoint::open(dir.path(name)));
    double sum = 0;
    for (std::size_t i = 0; i < was.size(); ++i) sum += std::pow(double(was[i] - is[i]), 2);
    return sum;
  };
  // Three bits where no channel matters cost nothing but the order of sums; where they do, much.
  const double tail = error_of("tail", ", {match: 're:.*(gate|up)_proj.rows.1', scheme: w3g32}");
  const double head = error_of("head", ", {match: 're:.*(gate|up)_proj.rows.0', scheme: w3g32}");
  EXPECT_LT(tail, 1e-6 * head);
  EXPECT_GT(head, 0);
  const auto artefact = io::Checkpoint::open(dir.path("tail"));
  EXPECT_EQ(scheme_name(artefact->matrix("model.layers.1.mlp.up_proj.rows.1")->scheme), "w3g32");
  EXPECT_EQ(scheme_name(artefact->matrix("model.layers.1.mlp.up_proj.rows.0")->scheme), "bf16");
}

TEST(SplitChannels, RefusesWhatCannotBe) {
  const io::TempDir dir;
  const std::string golden = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures/";
  const auto problem = [](const std::string& model, const std::string& steps) {
    return problem_of([&] {
      const auto whole = io::Checkpoint::open(model);
      split(*whole, steps);
    });
  };
  const std::string source = sparse_model(dir);
  for (const char* at : {"[0.5, 0.25]", "[0]", "[1]", "[]", "[0.5, 0.5]", "[-1]"})
    EXPECT_THAT(problem(source, std::string("split_channels: {at: ") + at + "}"),
                HasSubstr("shares above 0 and below 1"))
        << at;
  EXPECT_THAT(problem(source, "split_channels: {at: [x]}"), HasSubstr("must be a number"));
  EXPECT_THAT(problem(source, "split_vocabulary: {at: [40]}, split_channels"),
              HasSubstr("must stand before split_vocabulary"));
  EXPECT_THAT(problem(source, "split_channels, drop_channels"), HasSubstr("wants it whole"));
  EXPECT_THAT(problem(golden + "mixtral", "split_channels"), HasSubstr("mixtures of experts"));
  EXPECT_THAT(problem(golden + "phi3-window", "split_channels"),
              HasSubstr("gate and up in one matrix"));
  const auto few = io::Checkpoint::open(golden + "llama-plain");
  EXPECT_THAT(split(*few, "split_channels").notes, ElementsAre(HasSubstr("too few")));
}

}  // namespace
}  // namespace farthing::compress
