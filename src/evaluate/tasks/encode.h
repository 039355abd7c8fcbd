// Text of tasks to tokens, in the conventions of lm-evaluation-harness.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "evaluate/likelihood.h"
#include "evaluate/tasks/task.h"
#include "text/tokenizer.h"

namespace farthing::evaluate {

// Context and continuation are tokenised together and cut where the context's own tokens end, so
// that a token across the border falls to the continuation; white space at the end of the context
// goes to the continuation first; an empty context is the beginning-of-text token, else the
// end-of-text one; what exceeds `max_positions` is cut from the left (LM._encode_pair and
// HFLM._loglikelihood_tokens in lm_eval/api/model.py and models/huggingface.py).
class TaskEncoder {
 public:
  TaskEncoder(const text::Tokenizer& tokenizer, std::int64_t max_positions)
      : tokenizer_(tokenizer), max_positions_(max_positions) {}

  // Error: bad input naming `where` for a continuation of no tokens or more than the model's
  // positions, and for an empty context where the tokenizer has no token to stand for it.
  Continuation encode(std::string_view context, std::string_view continuation,
                      std::string_view where);
  Question encode(const Item& item, std::string_view where);

  std::int64_t truncated() const { return truncated_; }  // continuations whose context was cut

 private:
  std::vector<Token> encode_text(std::string_view text) const;
  std::optional<Token> prefix() const;

  const text::Tokenizer& tokenizer_;
  std::int64_t max_positions_;
  std::int64_t truncated_ = 0;
};

}  // namespace farthing::evaluate
