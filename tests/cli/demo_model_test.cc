// The demo model against what transformers computes with it
// (models/demo/books-llama-8m/expected.json).
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "run_binary.h"
#include "tests/io/files.h"

namespace farthing::testing {
namespace {

using nlohmann::json;
const std::string kModel = source_path("models/demo/books-llama-8m");
const std::string kText = source_path("models/demo/voyage-of-the-beagle.txt");
const json kExpected = json::parse(read_file(kModel + "/expected.json"));

TEST(DemoModel, HasThePerplexityOfTheOriginalImplementation) {
  const Ran ran = run_farthing("eval " + kModel + " --text " + kText +
                               " --context 256 --windows 100 --bos no --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json text = json::parse(ran.out)["texts"]["voyage-of-the-beagle.txt"];
  EXPECT_EQ(text["tokens"], 25500);
  // The file gives four decimals.
  EXPECT_NEAR(text["perplexity"].get<double>(),
              kExpected["perplexity"]["books/test.txt"]["perplexity"].get<double>(), 2e-3);
}

TEST(DemoModel, ContinuesPromptsAsTheOriginalImplementationDoes) {
  for (const json& one : kExpected["greedy"]) {
    const Ran ran =
        run_farthing("generate " + kModel + " --greedy --max-tokens 40 --json - --quiet --prompt -",
                     one["prompt"].get<std::string>());
    ASSERT_EQ(ran.code, 0) << ran.err;
    const json result = json::parse(ran.out);
    EXPECT_EQ(result["prompt_ids"], one["prompt_ids"]);
    EXPECT_EQ(result["ids"], one["greedy_ids"]) << one["prompt"];
    EXPECT_EQ(result["text"], one["text"]);
  }
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
