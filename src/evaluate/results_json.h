// Results as JSON: the maps `texts`, `tasks`, `flips` and `generation` of `farthing eval`
// (docs/evaluation.md), and lm-evaluation-harness's own shape.
#pragma once

#include <string>
#include <vector>

#include "evaluate/divergence.h"
#include "evaluate/generation.h"
#include "evaluate/tasks/run.h"
#include "io/json.h"

namespace farthing::evaluate {

// How the model ran; part of every result's name.
struct Settings {
  std::string isa, activations, kv;
  std::string reference;  // its name; "": none
};

Json text_json(const EvalText& text, const TextResult& result, const Settings& settings,
               const text::Tokenizer& tokenizer);
Json task_json(const Task& task, const TaskResult& result, const Settings& settings);
Json flips_json(const Task& task, const Flips& flips, const TaskResult& reference,
                const Settings& settings);
Json generation_json(const GenerationResult& result, std::int64_t max_tokens,
                     const Settings& settings, const text::Tokenizer& tokenizer);

struct TaskRun {
  Task task;
  TaskResult result;
};
// The shape of lm-evaluation-harness's results file (lm_eval/result_schema.py): results, configs,
// versions, n-shot, higher_is_better, n-samples, config.
Json lm_eval_json(const std::vector<TaskRun>& runs, const std::string& model, std::int64_t limit);

}  // namespace farthing::evaluate
