// How likely a model finds given continuations: what multiple-choice tasks are scored by.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/progress.h"
#include "evaluate/divergence.h"
#include "text/tokenizer.h"

namespace farthing::evaluate {

// A context and one way it goes on; the last `scored` tokens are the continuation.
struct Continuation {
  std::vector<Token> tokens;
  std::int64_t scored = 0;  // at least 1, fewer than the tokens
};
// The ways that are compared with each other.
using Question = std::vector<Continuation>;

struct Likelihood {
  double log_likelihood = 0;  // nats, summed over the continuation's tokens
  bool greedy = false;        // each of them is the model's first choice
};

// One entry a continuation. What the continuations of a question have in common is computed once
// and its keys and values are shared, as is what neighbouring questions begin with (examples of the
// task); several questions run in one batch. Error: bad input for logits that are not numbers;
// interrupted.
std::vector<std::vector<Likelihood>> likelihoods(Runtime& runtime, const Runner& runner,
                                                 std::span<const Question> questions,
                                                 std::string_view what, Progress& progress);

}  // namespace farthing::evaluate
