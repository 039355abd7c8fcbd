// `farthing eval` as a user runs it: tasks, flips, answers.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "run_binary.h"

namespace farthing::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kModel = source_path("models/demo/books-llama-8m");
const std::string kText = source_path("models/demo/voyage-of-the-beagle.txt");
const std::string kTasks = source_path("tests/golden/tasks/");

TEST(Eval, ComparesTasksTextsAndAnswersOfTwoModels) {
  Folder folder;
  const std::string out = (folder / "w2").string(), shape = (folder / "shape.json").string();
  ASSERT_EQ(run_farthing("compress " + kModel + " " + out + " --scheme w2g32 --quiet").code, 0);
  const Ran ran = run_farthing(
      "eval " + out + " --reference " + kModel + " --tasks " + kTasks + "arc.jsonl," + kTasks +
      "lambada.jsonl --tasks again=" + kTasks + "arc.jsonl --limit 4 --text beagle=" + kText +
      " --context 64 --windows 4 --prompts " + kTasks +
      "lambada.jsonl --max-tokens 8 --lm-eval-json " + shape + " --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json result = json::parse(ran.out);
  EXPECT_EQ(result["tasks"]["arc"]["documents"], 4);
  EXPECT_EQ(result["tasks"]["arc"]["documents_in_file"], 6);
  EXPECT_EQ(result["tasks"]["again"]["acc"], result["tasks"]["arc"]["acc"]);
  EXPECT_GT(result["tasks"]["lambada"]["perplexity"], 1);
  const json flips = result["flips"]["arc"];
  EXPECT_EQ(flips["lost"].get<int>() + flips["gained"].get<int>() + flips["both_right"].get<int>() +
                flips["both_wrong"].get<int>(),
            4);
  const json text = result["texts"]["beagle"];
  EXPECT_LE(text["ci95"]["kld"][0], text["kld"]["mean"]);
  EXPECT_GE(text["ci95"]["kld"][1], text["kld"]["mean"]);
  int counted = 0;
  for (const json& count : text["kld_histogram"]["counts"]) counted += count.get<int>();
  EXPECT_EQ(counted, text["tokens"]);
  EXPECT_EQ(text["worst"][0]["kld"], text["kld"]["max"]);
  const json answers = result["generation"]["lambada"];
  EXPECT_EQ(answers["prompts"], 5);
  EXPECT_EQ(answers["diverged"].get<std::size_t>() > 0, answers["earliest"].size() > 0);
  // What an earlier run measured stays beside the artefact.
  ASSERT_EQ(run_farthing("eval " + out + " --tasks " + kTasks + "piqa.jsonl --quiet").code, 0);
  const json kept = json::parse(read_file(out + "/farthing.eval.json"));
  EXPECT_TRUE(kept["tasks"].contains("piqa"));
  EXPECT_EQ(kept["tasks"]["arc"], result["tasks"]["arc"]);
  EXPECT_EQ(json::parse(read_file(shape))["results"]["arc"]["acc,none"],
            result["tasks"]["arc"]["acc"]);
}

TEST(Eval, AgainstItselfNothingFlipsAndAnswersAgree) {
  const Ran ran = run_farthing("eval " + kModel + " --reference " + kModel + " --tasks " + kTasks +
                               "piqa.jsonl --prompts " + kTasks +
                               "lambada.jsonl --max-tokens 12 "
                               "--json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json result = json::parse(ran.out);
  EXPECT_EQ(result["flips"]["piqa"]["flips"], 0.0);
  EXPECT_EQ(result["flips"]["piqa"]["mcnemar_p"], 1.0);
  EXPECT_EQ(result["generation"]["lambada"]["exact_match"], 1.0);
}

// A task's likelihoods depend neither on the threads nor on what shares its batch.
TEST(Eval, GivesTheSameTaskNumbersOnOneThread) {
  const std::string run = "eval " + kModel + " --tasks " + kTasks + "hellaswag.jsonl," + kTasks +
                          "continuation.jsonl --json - --threads ";
  json one = json::parse(run_farthing(run + "1").out)["tasks"],
       two = json::parse(run_farthing(run + "2").out)["tasks"];
  for (json* tasks : {&one, &two})
    for (json& task : *tasks) task.erase("seconds");
  EXPECT_EQ(one, two);
}

TEST(Eval, RefusesWhatCannotBeMeasuredBeforeItRuns) {
  Folder folder;
  std::ofstream(folder / "bad.jsonl") << R"({"query": "a", "choices": ["b", "c"], "gold": 5})";
  const std::string bad = (folder / "bad.jsonl").string();
  const std::string other = source_path("tests/golden/architectures/llama-gqa");
  const struct {
    std::string arguments, says;
    int code;
  } cases[] = {
      {"eval " + kModel, "something to measure", 2},
      {"eval " + kModel + " --tasks " + kTasks + "arc.jsonl --shots 2", "--shots-from", 2},
      {"eval " + kModel + " --prompts " + kTasks + "arc.jsonl", "--reference", 2},
      {"eval " + kModel + " --text " + kText + " --lm-eval-json x", "--tasks", 2},
      {"eval " + kModel + " --tasks " + kTasks + "arc.jsonl --tasks " + kTasks + "arc.jsonl",
       "two tasks are named \"arc\"", 2},
      {"eval " + kModel + " --text " + kText + " --text " + kText, "two texts are named", 2},
      {"eval " + kModel + " --tasks " + bad, "line 1: \"gold\" must be", 3},
      {"eval " + kModel + " --tasks /nonexistent.jsonl", "/nonexistent.jsonl", 3},
      {"eval " + kModel + " --reference " + other + " --tasks " + kTasks + "arc.jsonl",
       "only models of one vocabulary", 3},
      {"eval " + kModel + " --reference " + kModel + " --max-tokens 300 --prompts " + kTasks +
           "lambada.jsonl",
       "must fit 256 positions", 3},
  };
  for (const auto& c : cases) {
    const Ran ran = run_farthing(c.arguments);
    EXPECT_EQ(ran.code, c.code) << c.arguments << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(c.says)) << c.arguments;
    EXPECT_EQ(ran.out, "");
  }
}

}  // namespace
}  // namespace farthing::testing
