// The demo models against what transformers computes with them (expected.json beside each), and the
// student against where it comes from.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "io/artefact.h"
#include "io/checkpoint.h"
#include "run_binary.h"
#include "tests/io/files.h"

namespace farthing::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
const std::string kModel = source_path("models/demo/books-llama-8m");
const std::string kText = source_path("models/demo/voyage-of-the-beagle.txt");
const std::string kStudent = source_path("models/demo/books-llama-7m");

// In a folder of the test's own, for eval keeps its results beside a model that Farthing made.
std::string copied(const std::string& model, const Folder& folder) {
  const auto to = folder / std::filesystem::path(model).filename().string();
  std::filesystem::copy(model, to, std::filesystem::copy_options::recursive);
  return to.string();
}

json measured(const std::string& model, const std::string& options) {
  const Ran ran =
      run_farthing("eval " + model + " --text " + kText + " --context 256 --json - " + options);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran.code != 0 ? json() : json::parse(ran.out)["texts"]["voyage-of-the-beagle.txt"];
}

class DemoModels : public ::testing::TestWithParam<std::string> {
 protected:
  Folder folder_;
  std::string model_ = copied(GetParam(), folder_);
  json expected_ = json::parse(read_file(model_ + "/expected.json"));
};
INSTANTIATE_TEST_SUITE_P(Demo, DemoModels, ::testing::Values(kModel, kStudent),
                         [](const auto& model) {
                           return model.param == kModel ? "Teacher" : "Student";
                         });

TEST_P(DemoModels, HasThePerplexityOfTheOriginalImplementation) {
  const json text = measured(model_, "--windows 100 --bos no");
  EXPECT_EQ(text["tokens"], 25500);
  // The file gives four decimals.
  EXPECT_NEAR(text["perplexity"].get<double>(),
              expected_["perplexity"]["books/test.txt"]["perplexity"].get<double>(), 2e-3);
}

TEST_P(DemoModels, ContinuesPromptsAsTheOriginalImplementationDoes) {
  for (const json& one : expected_["greedy"]) {
    const Ran ran =
        run_farthing("generate " + model_ + " --greedy --max-tokens 40 --json - --quiet --prompt -",
                     one["prompt"].get<std::string>());
    ASSERT_EQ(ran.code, 0) << ran.err;
    const json result = json::parse(ran.out);
    EXPECT_EQ(result["prompt_ids"], one["prompt_ids"]);
    EXPECT_EQ(result["ids"], one["greedy_ids"]) << one["prompt"];
    EXPECT_EQ(result["text"], one["text"]);
  }
}

TEST(DemoStudent, ComesFromThePrunedTeacherAndClosesMostOfWhatThatCost) {
  const Folder folder;
  const std::string pruned = (folder / "pruned").string(), student = copied(kStudent, folder);
  // As tools/make_demo_student.sh does.
  const Ran ran = run_farthing("compress " + kModel + " " + pruned +
                               " --scheme bf16 --method drop-layers --sparsity 0.25 --samples 16"
                               " --length 256 --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto hash = [](const std::string& model) {
    return io::hash_checkpoint(*io::Checkpoint::open(model));
  };
  const json record = json::parse(read_file(student + "/farthing.training.json"));
  EXPECT_EQ(record["teacher_sha256"], hash(kModel));
  EXPECT_EQ(record["student_sha256"], hash(pruned));
  EXPECT_LE(record["tokens_a_step"].get<int>() * record["steps"].get<int>(), 2'000'000);
  const json before = measured(pruned, "--windows 24 --reference " + kModel),
             after = measured(student, "--windows 24 --reference " + kModel);
  const auto perplexity = [](const json& text, const char* key = "perplexity") {
    return text[key].get<double>();
  };
  const double teacher = perplexity(after, "reference_perplexity");
  EXPECT_GT(perplexity(before) - perplexity(after), 0.5 * (perplexity(before) - teacher));
  EXPECT_LT(after["kld"]["mean"].get<double>(), 0.5 * before["kld"]["mean"].get<double>());
}

TEST(DemoModel, GeneratesTheSameWithOneThreadAndInSmallChunks) {
  const std::string prompt =
      " --prompt 'My dear Watson,' --max-tokens 30 --temperature 0.9 --seed 5 --quiet";
  const Ran two = run_farthing("generate " + kModel + prompt),
            one = run_farthing("generate " + kModel + prompt + " --threads 1");
  ASSERT_EQ(two.code, 0) << two.err;
  EXPECT_EQ(two.out, one.out);
  EXPECT_NE(two.out, "");
}

TEST(DemoModel, StopsAtAStopString) {
  const Ran ran = run_farthing("generate " + kModel +
                               " --greedy --max-tokens 40 --quiet --prompt 'It was a dark and "
                               "stormy night' --stop 'more than'");
  EXPECT_EQ(ran.out, ", and a little \n");
}

TEST(DemoModel, EvaluatedAgainstItselfHasNoDivergence) {
  const Ran ran = run_farthing("eval " + kModel + " --reference " + kModel + " --text " + kText +
                               " --context 64 --windows 3 --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json text = json::parse(ran.out)["texts"]["voyage-of-the-beagle.txt"];
  EXPECT_LT(text["kld"]["mean"].get<double>(), 1e-9);
  EXPECT_EQ(text["top1_agreement"], 1.0);
}

TEST(DemoModel, IsEvaluatedInWindowsThatFitItsContext) {
  const Ran ran = run_farthing("eval " + kModel + " --text " + kText + " --windows 1 --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(json::parse(ran.out)["texts"]["voyage-of-the-beagle.txt"]["context"], 256);
}

TEST(DemoModel, TakesAPresetWhoseSamplesWouldBeLongerThanItsContext) {
  const io::TempDir dir;
  const std::string preset = "compress " + kModel + " " + dir.path("o") + " --preset balanced";
  const Ran ran = run_farthing(preset + " --samples 4");
  EXPECT_EQ(ran.code, 0) << ran.err;
  const Ran asked = run_farthing(preset + " --samples 4 --length 512 --force");
  EXPECT_EQ(asked.code, 3);
  EXPECT_THAT(asked.err, HasSubstr("more than the 256 positions"));
}

TEST(DemoModel, IsWrittenAsAGgufFileInBlocksOfThatFormat) {
  const io::TempDir dir;
  for (const auto& [scheme, kld] : {std::pair{"q8_0", 2e-4}, {"q6_k", 2e-3}, {"q4_k", 2e-2}}) {
    const std::string file = dir.path(std::string(scheme) + ".gguf");
    const Ran made = run_farthing("compress " + kModel + " " + file + " --scheme " + scheme);
    ASSERT_EQ(made.code, 0) << made.err;
    const Ran ran = run_farthing("eval " + file + " --reference " + kModel + " --text " + kText +
                                 " --context 128 --windows 2 --json -");
    ASSERT_EQ(ran.code, 0) << ran.err;
    const json mean = json::parse(ran.out)["texts"]["voyage-of-the-beagle.txt"]["kld"]["mean"];
    EXPECT_GT(mean.get<double>(), kld / 50) << scheme;
    EXPECT_LT(mean.get<double>(), kld) << scheme;
  }
}

}  // namespace
}  // namespace farthing::testing
