// A model's answers to a task, and what changed against another model's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/likelihood.h"
#include "evaluate/statistics.h"
#include "evaluate/tasks/task.h"

namespace farthing::evaluate {

// What a model made of one document.
struct Outcome {
  std::vector<Likelihood> continuations;
  std::size_t picked = 0, picked_norm = 0;  // the likeliest; the likeliest per character
  bool right = false, right_norm = false;   // with one continuation: found greedily
};

struct TaskResult {
  std::vector<Outcome> outcomes;  // one a document
  std::int64_t truncated = 0;     // continuations whose context did not fit
  double seconds = 0;
};

// Error: as TaskEncoder and likelihoods().
TaskResult run_task(Runtime& runtime, const Runner& runner, const text::Tokenizer& tokenizer,
                    const Task& task, Progress& progress);

struct Metric {
  std::string_view name;  // acc, acc_norm, perplexity
  Estimate estimate;
  bool higher_is_better = true;
};
// acc: the share of documents answered right; acc_norm: with likelihoods divided by the choice's
// characters; perplexity: exp of the mean of -log-likelihood a document (its error by the delta
// method, where lm-evaluation-harness draws a bootstrap). Those that the task's form has.
std::vector<Metric> metrics_of(const Task& task, const TaskResult& result);
bool right(const Task& task, const Outcome& outcome);          // by the form's headline metric
std::size_t picked(const Task& task, const Outcome& outcome);  // as above

// Documents on which two models differ ("Accuracy is not all you need", arXiv 2407.09141).
struct Flips {
  std::int64_t both_right = 0, both_wrong = 0;
  std::int64_t lost = 0, gained = 0;    // right only by the reference, only by the model
  std::int64_t other_wrong_choice = 0;  // wrong by both, in different ways
  double mcnemar_p = 1;                 // exact, two-sided
  Estimate change;                      // of the headline accuracy, paired
  struct Example {
    std::size_t document = 0;
    // Nats by which the model moved from the right choice to the rival, against the reference.
    double shift = 0;
    std::size_t reference_picked = 0, picked = 0;
  };
  std::vector<Example> worst;  // documents lost, the largest shift first
};
Flips compare_outcomes(const Task& task, const TaskResult& reference, const TaskResult& model,
                       std::size_t examples = 10);

}  // namespace farthing::evaluate
