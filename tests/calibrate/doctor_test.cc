// What the data doctor finds, each against data made to have it.
#include "calibrate/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/checkpoint.h"
#include "model/tensor_map.h"
#include "tests/io/files.h"
#include "tests/text/tokenizer_files.h"

namespace farthing::calibrate {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

struct Demo {
  std::unique_ptr<io::Checkpoint> checkpoint =
      io::Checkpoint::open(FARTHING_SOURCE_DIR "/models/demo/books-llama-8m");
  std::unique_ptr<text::Tokenizer> tokenizer = text::Tokenizer::load(*checkpoint);
  model::ModelConfig config =
      model::config_of(model::find_architecture(checkpoint->config()), *checkpoint);

  CalibrationData builtin(std::int64_t samples = 64, std::int64_t length = 128) const {
    return load_data(*tokenizer, *checkpoint,
                     {.sources = {}, .samples = samples, .length = length});
  }
  CalibrationData of(const std::string& text, std::int64_t length = 128) const {
    CalibrationData data;
    const auto ids = tokenizer->encode(text, {.add_special = false, .parse_special = false});
    for (std::size_t i = 0; i < ids.size(); i += static_cast<std::size_t>(length)) {
      const std::size_t end = std::min(ids.size(), i + static_cast<std::size_t>(length));
      data.samples.push_back({{ids.begin() + static_cast<std::ptrdiff_t>(i),
                               ids.begin() + static_cast<std::ptrdiff_t>(end)},
                              0});
    }
    return data;
  }
  DataReport examine(const CalibrationData& data, std::string_view eval = {}) const {
    return calibrate::examine(*tokenizer, data, config, eval);
  }
};

auto finding(Level level, const std::string& topic, const std::string& part = "") {
  return AllOf(Field(&Finding::level, level), Field(&Finding::topic, topic),
               Field(&Finding::sentence, HasSubstr(part)));
}

TEST(DataDoctor, FindsNothingAgainstTheBuiltInTexts) {
  const Demo demo;
  const DataReport report = demo.examine(demo.builtin(128, 256));
  EXPECT_LE(report.worst(), Level::kNote);
  EXPECT_EQ(report.tokens, 128 * 256);
  EXPECT_LT(report.repeated, 0.02);
  EXPECT_GT(report.distinct, 2000);
  EXPECT_NO_THROW(refuse_unfit(report));
}

TEST(DataDoctor, RefusesATextThatSaysTheSameAgainAndAgain) {
  const Demo demo;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "The ship sailed on and on over the grey sea, my lord. ";
  const DataReport report = demo.examine(demo.of(text));
  EXPECT_THAT(report.findings, Contains(finding(Level::kFatal, "repeats", "give other text")));
  EXPECT_COMPLAINT(kBadInput, "repeats what came before", refuse_unfit(report));
}

TEST(DataDoctor, WarnsOfDuplicatedSamples) {
  const Demo demo;
  CalibrationData data = demo.builtin(20);
  for (int i = 0; i < 8; ++i) data.samples.push_back(data.samples[static_cast<std::size_t>(i)]);
  const DataReport report = demo.examine(data);
  EXPECT_NEAR(report.repeated, 8.0 / 28, 0.03);
  EXPECT_THAT(report.findings, Contains(finding(Level::kWarning, "repeats", "29 %")));
}

TEST(DataDoctor, SeesALanguageThatTheTokenizerWasNotMadeFor) {
  const Demo demo;
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += "Жили-были старик со старухой у самого синего моря, номер " + std::to_string(i * i) +
            ". Они жили в ветхой землянке ровно тридцать лет и три года. ";
  const DataReport report = demo.examine(demo.of(text));
  EXPECT_GT(report.fragments, 0.2);
  EXPECT_THAT(report.findings, Contains(finding(Level::kWarning, "fragments", "language")));
}

TEST(DataDoctor, RefusesTextOfWhichTheTokenizerKnowsNothing) {
  const Demo demo;
  const text::TextFiles files({{"tokenizer.json", text::golden_file("word_level/tokenizer.json")}});
  const auto tokenizer = text::Tokenizer::load(files);
  std::string text;
  for (int i = 0; i < 500; ++i) text += "qzx" + std::to_string(i) + " ";
  CalibrationData data;
  data.samples.push_back(
      {tokenizer->encode(text, {.add_special = false, .parse_special = false}), 0});
  const DataReport report = examine(*tokenizer, data, demo.config);
  EXPECT_THAT(report.findings, Contains(finding(Level::kFatal, "unknown")));
}

TEST(DataDoctor, FindsTheEvaluationTextInTheData) {
  const Demo demo;
  const CalibrationData data = demo.builtin();
  const std::string seen = demo.tokenizer->decode(data.samples[0].tokens);
  DataReport report = demo.examine(data, seen);
  EXPECT_GT(*report.overlap, 0.9);
  EXPECT_GT(*report.known_text, 0.9);
  EXPECT_THAT(report.findings, Contains(finding(Level::kWarning, "overlap", "flatter")));
  report =
      demo.examine(data, "Nobody wrote down these thirteen words in this odd order before today.");
  EXPECT_EQ(*report.overlap, 0);
  EXPECT_THAT(report.findings, Not(Contains(Field(&Finding::topic, "overlap"))));
}

TEST(DataDoctor, SaysWhereTokensCannotFillTheStatistics) {
  const Demo demo;  // 256 inputs of attention, 768 of the MLP's output
  DataReport report = demo.examine(demo.builtin(4, 128));
  EXPECT_THAT(report.findings,
              Contains(finding(Level::kWarning, "rank", "MLP outputs have 768 features, but 512")));
  EXPECT_THAT(report.findings,
              Contains(finding(Level::kNote, "rank", "attention inputs have 256 features")));
}

TEST(DataDoctor, CountsWhatAnExpertWouldSee) {
  const Demo demo;
  model::ModelConfig config = demo.config;
  config.experts = 64, config.experts_per_token = 2, config.expert_intermediate = 512;
  const DataReport report = examine(*demo.tokenizer, demo.builtin(32, 128), config);
  EXPECT_THAT(report.findings,
              Contains(finding(Level::kWarning, "experts", "sees 128 tokens on average")));
}

TEST(DataDoctor, RefusesSamplesBeyondTheModelsPositions) {
  const Demo demo;  // 256 positions
  const DataReport report = demo.examine(demo.builtin(4, 300));
  EXPECT_THAT(report.findings, Contains(finding(Level::kFatal, "length", "256 positions")));
}

TEST(DataDoctor, WarnsOfShortSamples) {
  const Demo demo;
  const DataReport report = demo.examine(demo.builtin(64, 32));
  EXPECT_THAT(report.findings, Contains(finding(Level::kWarning, "length")));
}

TEST(DataDoctor, JudgesStatisticsOnceThereAreSome) {
  DataReport report;
  examine_statistics({{"model.layers.0.mlp.down_proj", 768, 4096, 1, -1},
                      {"model.layers.0.mlp.gate_proj", 256, 4096, 256, -1},
                      {"model.layers.1.experts.0.w1", 256, 9, 9, 0},
                      {"model.layers.1.experts.1.w1", 256, 900, 256, 1}},
                     report);
  EXPECT_THAT(report.findings,
              Contains(finding(Level::kWarning, "rank", "0.mlp.down_proj: the statistics")));
  EXPECT_THAT(report.findings, Contains(finding(Level::kWarning, "experts", "1 of 2 experts")));
  EXPECT_EQ(report.findings.size(), 2u);
}

}  // namespace
}  // namespace farthing::calibrate
