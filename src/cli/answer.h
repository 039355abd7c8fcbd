// What generate and chat share: sampling options, prompts, and the report of an answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common.h"
#include "engine/generate.h"
#include "text/tokenizer.h"

namespace farthing::cli {

struct AnswerOptions {
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  std::uint64_t seed = 0;
  std::int64_t max_tokens = 256;
  std::vector<std::string> stop;
  bool greedy = false, ignore_eos = false;
};
void add_answer_options(VerbOptions& verb, AnswerOptions& options);
// Options not given come from generation_config.json, as in transformers; without one: temperature
// 0.
engine::GenerateOptions generate_options(const AnswerOptions& options,
                                         const io::Checkpoint& checkpoint);

// Turns text and conversations into the tokens of one model.
class Talker {
 public:
  struct Needs {
    bool chat = false;                // a chat template
    bool may_lack_tokenizer = false;  // token ids will do
  };
  Talker(const io::Checkpoint& checkpoint, Needs needs);  // Error: bad input for what is missing
  const text::Tokenizer* tokenizer() const { return tokenizer_.get(); }
  const std::vector<text::Token>& end_tokens() const { return end_tokens_; }
  std::vector<text::Token> encode_text(std::string_view text) const;
  // Text inside of messages stays text: "<|im_end|>" typed by a user is not the token.
  std::vector<text::Token> encode_chat(const Json& messages) const;

 private:
  const io::Checkpoint& checkpoint_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::vector<text::Token> end_tokens_;
};

std::string speed_line(const engine::Generated& result);
Json answer_json(const engine::Generated& result, const std::vector<text::Token>& prompt);

}  // namespace farthing::cli
