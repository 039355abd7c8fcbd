#include "evaluate/tasks/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/text.h"
#include "evaluate/tasks/encode.h"
#include "text/jinja_unicode.h"

namespace farthing::evaluate {
namespace {

template <class Score>
std::size_t best(std::size_t count, Score score) {
  std::size_t at = 0;
  for (std::size_t i = 1; i < count; ++i)
    if (score(i) > score(at)) at = i;
  return at;
}

Outcome outcome_of(const Item& item, std::vector<Likelihood> likelihoods) {
  Outcome o{.continuations = std::move(likelihoods)};
  const auto& l = o.continuations;
  if (l.size() == 1) {
    o.right = o.right_norm = l.front().greedy;
    return o;
  }
  o.picked = best(l.size(), [&](std::size_t i) { return l[i].log_likelihood; });
  o.picked_norm = best(l.size(), [&](std::size_t i) {
    return l[i].log_likelihood / static_cast<double>(text::jinja::count_points(item.choices[i]));
  });
  o.right = o.picked == item.gold;
  o.right_norm = o.picked_norm == item.gold;
  return o;
}

template <class Value>
Estimate mean_over(const std::vector<Outcome>& outcomes, Value value) {
  std::vector<double> values;
  for (const Outcome& o : outcomes) values.push_back(value(o));
  return mean_of(values);
}

bool by_characters(const Task& task) { return task.form->headline == "acc_norm"; }

// The likelihood that the headline metric compares.
double score_of(const Task& task, std::size_t document, const TaskResult& result, std::size_t i) {
  const double log_likelihood = result.outcomes[document].continuations[i].log_likelihood;
  if (!by_characters(task)) return log_likelihood;
  return log_likelihood /
         static_cast<double>(text::jinja::count_points(task.items[document].choices[i]));
}

}  // namespace

TaskResult run_task(Runtime& runtime, const Runner& runner, const text::Tokenizer& tokenizer,
                    const Task& task, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  TaskEncoder encoder(tokenizer, runner.model->config().max_positions);
  std::vector<Question> questions;
  for (std::size_t d = 0; d < task.items.size(); ++d)
    questions.push_back(
        encoder.encode(task.items[d], fmt::format("{}: document {}", printable(task.name), d + 1)));
  auto answers = likelihoods(runtime, runner, questions, task.name + " documents", progress);
  TaskResult result;
  for (std::size_t d = 0; d < task.items.size(); ++d)
    result.outcomes.push_back(outcome_of(task.items[d], std::move(answers[d])));
  result.truncated = encoder.truncated();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<Metric> metrics_of(const Task& task, const TaskResult& result) {
  std::vector<Metric> metrics = {
      {"acc", mean_over(result.outcomes, [](const Outcome& o) { return o.right ? 1.0 : 0.0; })}};
  if (task.form->norm)
    metrics.push_back({"acc_norm", mean_over(result.outcomes, [](const Outcome& o) {
                         return o.right_norm ? 1.0 : 0.0;
                       })});
  if (task.items.front().continuations.size() == 1) {
    Estimate e = mean_over(
        result.outcomes, [](const Outcome& o) { return -o.continuations.front().log_likelihood; });
    e.value = std::exp(e.value);
    e.stderr_of_value *= e.value;
    metrics.push_back({"perplexity", e, false});
  }
  return metrics;
}

bool right(const Task& task, const Outcome& outcome) {
  return by_characters(task) ? outcome.right_norm : outcome.right;
}

std::size_t picked(const Task& task, const Outcome& outcome) {
  return by_characters(task) ? outcome.picked_norm : outcome.picked;
}

Flips compare_outcomes(const Task& task, const TaskResult& reference, const TaskResult& model,
                       std::size_t examples) {
  Flips flips;
  std::vector<double> changes;
  for (std::size_t d = 0; d < task.items.size(); ++d) {
    const Outcome &before = reference.outcomes[d], &after = model.outcomes[d];
    const bool was = right(task, before), is = right(task, after);
    changes.push_back((is ? 1.0 : 0.0) - (was ? 1.0 : 0.0));
    flips.both_right += was && is;
    flips.both_wrong += !was && !is;
    flips.lost += was && !is;
    flips.gained += !was && is;
    flips.other_wrong_choice += !was && !is && picked(task, before) != picked(task, after);
    if (!was || is) continue;
    const std::size_t gold = task.items[d].gold, rival = picked(task, after);
    const auto margin = [&](const TaskResult& r) {
      const double against = rival == gold ? 0 : score_of(task, d, r, rival);
      return score_of(task, d, r, gold) - against;
    };
    flips.worst.push_back({d, margin(reference) - margin(model), picked(task, before), rival});
  }
  std::ranges::sort(flips.worst, [](const Flips::Example& a, const Flips::Example& b) {
    return a.shift != b.shift ? a.shift > b.shift : a.document < b.document;
  });
  if (flips.worst.size() > examples) flips.worst.resize(examples);
  flips.mcnemar_p = mcnemar_p(flips.lost, flips.gained);
  flips.change = mean_of(changes);
  return flips;
}

}  // namespace farthing::evaluate
