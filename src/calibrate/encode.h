// Documents become tokens as the model wants them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/documents.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace farthing::io {
class Checkpoint;
}

namespace farthing::calibrate {

class Encoder {
 public:
  Encoder(const text::Tokenizer& tokenizer, const io::Checkpoint& checkpoint);
  std::int64_t vocabulary() const { return tokenizer_.size(); }  // largest id + 1
  bool has_template() const { return template_ != nullptr; }
  // What a text begins with: the beginning-of-text token, where the tokenizer adds one by itself.
  std::optional<text::Token> first_token() const { return first_; }

  // Without first_token(); spellings of special tokens stay text.
  std::vector<text::Token> encode(std::string_view text) const;
  // Rendered by the template, spellings of special tokens inside of messages stay text. nullopt
  // when the template refuses it; then `why` says the reason.
  std::optional<std::vector<text::Token>> encode(const Conversation& conversation,
                                                 std::string& why) const;

 private:
  const text::Tokenizer& tokenizer_;
  const io::Checkpoint& checkpoint_;
  std::unique_ptr<text::ChatTemplate> template_;
  std::vector<std::string> spellings_;
  std::optional<text::Token> first_;
};

}  // namespace farthing::calibrate
