// How long a model says what another one says.
#pragma once

#include <string>
#include <vector>

#include "core/progress.h"
#include "evaluate/divergence.h"
#include "evaluate/statistics.h"
#include "evaluate/tasks/task.h"
#include "text/tokenizer.h"

namespace farthing::evaluate {

struct GenerationResult {
  struct Answer {
    std::vector<Token> prompt, reference;  // what the reference continues with, greedily
    std::size_t agreed = 0;                // tokens before the first that differs
    Token instead = 0;                     // what the model says there
    bool exact() const { return agreed == reference.size(); }
  };
  std::vector<Answer> answers;
  Estimate exact_match;   // share of answers without a difference
  Estimate agreed_share;  // of the reference's tokens, before the first difference
  double seconds = 0;
};

// Prompts are JSON lines with "prompt" or "text", or a text file of one prompt a line. Error: bad
// input for a file of another form or without a prompt.
std::vector<std::string> read_prompts(const std::string& path);

// The reference answers each prompt greedily with up to `max_tokens` tokens (its end token counts);
// the model then reads the answer once: the first token that is not its own first choice is where
// its own greedy answer would have left.
GenerationResult match_generation(Runtime& runtime, const Runner& runner, const Runner& reference,
                                  const text::Tokenizer& tokenizer,
                                  const std::vector<std::string>& prompts, std::int64_t max_tokens,
                                  Progress& progress);

}  // namespace farthing::evaluate
