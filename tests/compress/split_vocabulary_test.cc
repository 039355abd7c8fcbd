// An embedding and a head in parts of their rows: the same function, and a precision a part.
#include <gmock/gmock.h>

#include <filesystem>

#include "compress/compress.h"
#include "compress/restructure.h"
#include "core/error.h"
#include "io/overlay_checkpoint.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"
#include "tests/reference/cases.h"

namespace farthing::compress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

Restructured split(const io::Checkpoint& whole, const std::string& options) {
  Runtime runtime(2);
  SilentProgress quiet;
  Recipe recipe = parse_recipe("steps: [split_vocabulary" + options + "]\n", "test");
  const auto steps = make_steps(recipe);
  return restructure(
      runtime, whole, steps,
      [](const io::Checkpoint&, const model::ModelConfig&) -> const calibrate::CalibrationData& {
        throw Error(Fault::kInternal, "it looks at no data");
      },
      "fp32", 0, quiet);
}

std::vector<float> logits_of(const io::Checkpoint& checkpoint,
                             std::vector<std::int32_t> tokens = {1, 17, 42, 99, 3, 8, 64}) {
  Runtime runtime(2);
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

TEST(SplitVocabulary, ChangesNoAnswerOfAnyArchitecture) {
  int models = 0;
  for (const auto& entry :
       fs::directory_iterator(std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures")) {
    if (!entry.is_directory()) continue;
    const auto whole = io::Checkpoint::open(entry.path().string());
    const std::string name = entry.path().filename().string();
    const auto parts = split(*whole, ": {at: [1, 20, 33]}");
    const io::Checkpoint& made = parts.last(*whole);
    EXPECT_EQ(logits_of(*whole, {0, 1, 19, 20, 32, 33, 40}),
              logits_of(made, {0, 1, 19, 20, 32, 33, 40}))
        << name;
    const OpenModel old(entry.path().string());
    const model::ModelConfig config = model::config_of(model::architecture_of(made), made);
    const model::TensorMap map(model::architecture_of(made), config, made);
    EXPECT_EQ(map.find_rows(model::Slot::kEmbedding).size(), 4u) << name;
    EXPECT_FALSE(map.find(model::Slot::kEmbedding)) << name;
    EXPECT_THAT(problem_of([&] { map.require_whole("this"); }), HasSubstr("this wants it"));
    ++models;
  }
  EXPECT_GT(models, 50);
}

TEST(SplitVocabulary, HalvesAreChosenWhereNothingIsSaid) {
  const io::TempDir dir;
  const OpenModel model(TinyLlama{.layers = 1, .vocab = 2050, .tied = true}.write(dir));
  const auto parts = split(*model.checkpoint, "");
  EXPECT_THAT(parts.notes, ElementsAre(HasSubstr("the embedding lie in 4 parts")));
  std::vector<std::int64_t> rows;
  for (int part = 0; part < 4; ++part)
    rows.push_back(parts.last(*model.checkpoint)
                       .matrix(model::part_name("model.embed_tokens", part), 0, 1)
                       ->shape.rows);
  EXPECT_THAT(rows, ElementsAre(256, 256, 513, 1025));
  const OpenModel small(TinyLlama{}.write(dir, "small"));
  const auto none = split(*small.checkpoint, "");
  EXPECT_THAT(none.notes, ElementsAre(HasSubstr("101 tokens are too few")));
  EXPECT_EQ(logits_of(*small.checkpoint), logits_of(none.last(*small.checkpoint)));
}

class SplitArtefact : public testing::Test {
 protected:
  // `recipe`: what follows "steps: [...]".
  std::string compress(const std::string& source, const std::string& name, const std::string& text,
                       PlanOptions plan = {.portable = false}) {
    SilentProgress quiet;
    CompressOptions options;
    options.plan = plan;
    compress::compress(runtime_, *io::Checkpoint::open(source), dir_.path(name),
                       parse_recipe(text, "test"), options, quiet);
    return dir_.path(name);
  }
  Runtime runtime_{2};
  io::TempDir dir_;
  static constexpr const char* kSplit = "steps: [split_vocabulary: {at: [40, 64]}, rtn]\n";
};

TEST_F(SplitArtefact, HasAPrecisionAPart) {
  const std::string source = TinyLlama{}.write(dir_);
  const std::string mixed = compress(
      source, "mixed",
      std::string(kSplit) + "layers: [{match: 're:.*', scheme: w8g32}, {match: lm_head, scheme: "
                            "w8g32}, {match: lm_head.rows.1, scheme: w4g32}]\n");
  const auto logits = [&](const char* name, const char* head) {
    return logits_of(*io::Checkpoint::open(compress(
        source, name,
        std::string("layers: [{match: 're:.*', scheme: w8g32}, {match: lm_head, scheme: ") + head +
            "}]\n")));
  };
  const auto eight = logits("eight", "w8g32"), four = logits("four", "w4g32");
  const auto own = logits_of(*io::Checkpoint::open(mixed));
  ASSERT_EQ(own.size(), eight.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::size_t token = i % 101;
    ASSERT_EQ(own[i], token >= 40 && token < 64 ? four[i] : eight[i]) << token;
  }
  const auto artefact = io::Checkpoint::open(mixed);
  EXPECT_EQ(scheme_name(artefact->matrix("lm_head.rows.1")->scheme), "w4g32");
  EXPECT_EQ(scheme_name(artefact->matrix("lm_head.rows.2")->scheme), "w8g32");
  EXPECT_EQ(scheme_name(artefact->matrix("model.embed_tokens.rows.0")->scheme), "bf16");
}

TEST_F(SplitArtefact, OfATiedModelEmbedsFromItsParts) {
  const std::string source = TinyLlama{.tied = true}.write(dir_);
  const std::string layers =
      "layers: [{match: 're:.*', scheme: w8g32}, {match: lm_head, scheme: w8g32}";
  const auto whole = logits_of(*io::Checkpoint::open(compress(source, "whole", layers + "]\n")));
  EXPECT_EQ(whole,
            logits_of(*io::Checkpoint::open(compress(source, "parts", kSplit + layers + "]\n"))));
  const std::string mixed = compress(
      source, "mixed",
      kSplit + layers + ", {match: model.embed_tokens.rows.2, scheme: w2g32}]\n");
  EXPECT_NE(whole, logits_of(*io::Checkpoint::open(mixed)));
  // Of tokens 0 to 39 nothing but the last part's logits changes.
  const auto few = logits_of(*io::Checkpoint::open(mixed), {1, 17, 39}),
             few_whole = logits_of(*io::Checkpoint::open(dir_.path("whole")), {1, 17, 39});
  for (std::size_t i = 0; i < few.size(); ++i)
    if (i % 101 < 64) {
      ASSERT_EQ(few[i], few_whole[i]) << i;
    }
}

TEST_F(SplitArtefact, RefusesWhatCannotBe) {
  const std::string source = TinyLlama{}.write(dir_);
  const std::string tied = TinyLlama{.tied = true}.write(dir_, "tied");
  const auto problem = [&](const std::string& of, const std::string& text, PlanOptions plan) {
    return problem_of([&] { compress(of, "out", text, plan); });
  };
  const PlanOptions own{.portable = false};
  const std::string all = "layers: [{match: 're:.*', scheme: w8g32}]\n";
  for (const char* at : {"[64, 40]", "[40, 40]", "[]"})
    EXPECT_THAT(problem(source, all + "steps: [split_vocabulary: {at: " + at + "}]\n", own),
                HasSubstr("in ascending order"))
        << at;
  EXPECT_THAT(problem(source, all + "steps: [split_vocabulary: {at: [0]}]\n", own),
              HasSubstr("an integer from 1"));
  EXPECT_THAT(problem(source, all + "steps: [split_vocabulary: {at: [101]}]\n", own),
              HasSubstr("has 101 rows and cannot be cut at row 101"));
  EXPECT_THAT(problem(source, all + kSplit, {.portable = true}),
              HasSubstr("a part of the rows of a matrix"));
  EXPECT_THAT(problem(source, all + kSplit, {.portable = false, .gguf = true}),
              HasSubstr("GGUF wants it whole"));
  EXPECT_THAT(problem(tied, all + "steps: [split_vocabulary: {at: [40]}, rotate]\n", own),
              HasSubstr("would have to become two matrices"));
  EXPECT_THAT(problem(source,
                      "layers: [{match: lm_head.rows.3, scheme: w8g32}]\n" + std::string(kSplit),
                      own),
              HasSubstr("did you mean lm_head.rows."));
}

TEST_F(SplitArtefact, WithAPartMissingIsRefused) {
  const std::string source = TinyLlama{}.write(dir_);
  const std::string broken = TinyLlama{}.write(dir_, "broken");
  const auto whole = io::Checkpoint::open(source);
  const auto parts = split(*whole, ": {at: [40, 64]}");
  const io::Checkpoint& made = parts.last(*whole);
  for (const char* lost : {"lm_head.rows.1", "lm_head.rows.2", "model.embed_tokens.rows.2"}) {
    std::vector<io::TensorInfo> infos;
    for (const io::TensorInfo& tensor : made.tensors())
      if (tensor.name != std::string(lost) + ".weight") infos.push_back(tensor);
    io::write_safetensors(dir_.path("broken/model.safetensors"), infos);
    EXPECT_THAT(problem_of([&] { logits_of(*io::Checkpoint::open(broken)); }),
                HasSubstr("is a part missing?"))
        << lost;
  }
}

}  // namespace
}  // namespace farthing::compress
