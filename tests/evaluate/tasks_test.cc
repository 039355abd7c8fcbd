// Tasks against lm-evaluation-harness with transformers (tools/goldens/make_tasks.py).
#include <gtest/gtest.h>

#include "evaluate/results_json.h"
#include "evaluate/tasks/encode.h"
#include "io/mapped_file.h"

namespace farthing::evaluate {
namespace {

const std::string kFolder = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/tasks/";

struct Demo {
  Runtime runtime{2};
  std::unique_ptr<io::Checkpoint> checkpoint =
      io::Checkpoint::open(std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m");
  std::unique_ptr<model::Model> model = model::Model::load(
      runtime, *checkpoint, {.activations = std::nullopt, .float_weights = Element::kF32});
  std::unique_ptr<text::Tokenizer> tokenizer = text::Tokenizer::load(*checkpoint);
  Runner runner{model.get(), kernels::KvType::kF32};
};
Demo& demo() {
  static Demo demo;
  return demo;
}

Task task_of(const std::string& name) {
  const std::string stem = name.substr(0, name.find(' '));
  TaskOptions options;
  if (name.ends_with("2 shots"))
    options = {.shots = 2, .examples = kFolder + "mmlu_examples.jsonl"};
  return read_task({.name = stem, .path = kFolder + stem + ".jsonl"}, options);
}

class GoldenTask : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTask, HasTheNumbersOfTheHarness) {
  const Json expected = read_json_file(kFolder + "expected.json").at(GetParam());
  const Task task = task_of(GetParam());
  EXPECT_EQ(task.form->name, task.name);
  SilentProgress progress;
  const TaskResult result =
      run_task(demo().runtime, demo().runner, *demo().tokenizer, task, progress);
  ASSERT_EQ(result.outcomes.size(), expected["documents"].size());
  for (std::size_t d = 0; d < result.outcomes.size(); ++d) {
    const auto& got = result.outcomes[d].continuations;
    const Json& want = expected["documents"][d];
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      // Two implementations in FP32, and six decimals in the file.
      EXPECT_NEAR(got[i].log_likelihood, want[i][0].get<double>(), 2e-4) << d << " " << i;
      EXPECT_EQ(got[i].greedy, want[i][1].get<bool>()) << d << " " << i;
    }
  }
  const Json metrics = task_json(task, result, {});
  for (const auto& [name, value] : expected["metrics"].items())
    EXPECT_NEAR(metrics.at(name).get<double>(), value.get<double>(),
                name == "perplexity" ? 1e-4 * value.get<double>() : 2e-6)
        << name;
  // Subjects add up to the whole.
  EXPECT_EQ(metrics.contains("subjects"), task.name == "mmlu");
  double documents = 0, right_ones = 0;
  const Json subjects = metrics.value("subjects", Json::object());
  for (const auto& [subject, row] : subjects.items()) {
    documents += row["documents"].get<double>();
    right_ones += row["documents"].get<double>() * row["acc"].get<double>();
  }
  if (task.name == "mmlu") {
    EXPECT_EQ(documents, static_cast<double>(task.items.size()));
    EXPECT_NEAR(right_ones / documents, metrics["acc"].get<double>(), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(, GoldenTask,
                         testing::Values("arc", "boolq", "choice", "continuation", "hellaswag",
                                         "lambada", "mmlu", "mmlu 2 shots", "openbookqa", "options",
                                         "piqa", "winogrande"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase(name, ' ');
                           return name;
                         });

TEST(Tasks, LongContextsLoseTheirBeginning) {
  const Task task = task_of("boolq");
  SilentProgress progress;
  const auto result = run_task(demo().runtime, demo().runner, *demo().tokenizer, task, progress);
  EXPECT_EQ(result.truncated, 2);  // "no" and "yes" of the long passage
}

TEST(Tasks, ResultsHaveTheHarnesssShape) {
  const Task task = task_of("arc");
  SilentProgress progress;
  auto result = run_task(demo().runtime, demo().runner, *demo().tokenizer, task, progress);
  const Json j = lm_eval_json({{task, result}}, "demo", 0);
  const Json metrics = task_json(task, result, {});
  EXPECT_EQ(j["results"]["arc"]["acc,none"], metrics["acc"]);
  EXPECT_EQ(j["results"]["arc"]["acc_norm_stderr,none"], metrics["acc_norm_stderr"]);
  EXPECT_EQ(j["n-samples"]["arc"]["effective"], 6);
  EXPECT_EQ(j["higher_is_better"]["arc"]["acc"], true);
  for (const char* key : {"group_subtasks", "configs", "versions", "n-shot"})
    EXPECT_TRUE(j[key].contains("arc")) << key;
}

Outcome choice(std::vector<double> log_likelihoods, std::size_t gold) {
  Outcome o;
  for (const double l : log_likelihoods)
    o.continuations.push_back({.log_likelihood = l, .greedy = false});
  for (std::size_t i = 0; i < log_likelihoods.size(); ++i)
    if (log_likelihoods[i] > log_likelihoods[o.picked]) o.picked = i;
  o.picked_norm = o.picked;
  o.right = o.right_norm = o.picked == gold;
  return o;
}

TEST(Flips, CountWhatChangedAndShowTheWorstFirst) {
  Task task = task_of("options");
  task.items.assign(5, task.items.front());
  for (Item& item : task.items) item.choices = {"aa", "bb", "cc"}, item.gold = 0;
  TaskResult before, after;
  before.outcomes = {choice({-1, -2, -3}, 0), choice({-1, -2, -3}, 0), choice({-1, -2, -3}, 0),
                     choice({-2, -1, -3}, 0), choice({-3, -1, -2}, 0)};
  after.outcomes = {choice({-1, -2, -3}, 0), choice({-2, -1, -3}, 0), choice({-4, -2, -1}, 0),
                    choice({-1, -2, -3}, 0), choice({-3, -2, -1}, 0)};
  const Flips f = compare_outcomes(task, before, after);
  EXPECT_EQ(f.both_right, 1);
  EXPECT_EQ(f.both_wrong, 1);
  EXPECT_EQ(f.lost, 2);
  EXPECT_EQ(f.gained, 1);
  EXPECT_EQ(f.other_wrong_choice, 1);
  EXPECT_DOUBLE_EQ(f.change.value, -0.2);
  EXPECT_DOUBLE_EQ(f.mcnemar_p, 1);
  ASSERT_EQ(f.worst.size(), 2u);
  EXPECT_EQ(f.worst[0].document, 2u);  // from +2 to -3 against choice 2
  EXPECT_DOUBLE_EQ(f.worst[0].shift, 5);
  EXPECT_EQ(f.worst[0].picked, 2u);
  EXPECT_EQ(f.worst[1].document, 1u);
  const Json j =
      flips_json(task, f, before, {.isa = "", .activations = "", .kv = "", .reference = "r"});
  EXPECT_DOUBLE_EQ(j["flips"].get<double>(), 0.6);
  EXPECT_EQ(j["worst"][0]["picked"], 2);
}

}  // namespace
}  // namespace farthing::evaluate
