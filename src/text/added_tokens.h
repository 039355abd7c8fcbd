// Tokens that are found in the text before the model sees it: control tokens and words added later.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"
#include "text/tokenizer.h"
#include "text/trie.h"

namespace farthing::text {

struct AddedToken {
  std::string content;
  Token id = -1;
  bool special = false;      // left out of decoded text; only found when parse_special
  bool normalized = false;   // looked for in the normalised text, else in the text as it came
  bool lstrip = false;       // swallows blanks on its left
  bool rstrip = false;       // and on its right
  bool single_word = false;  // not inside a word
};

// A part of a text: a token that was found, or text in between (id -1).
struct Part {
  std::size_t begin, end;
  Token id;
};

class AddedTokens {
 public:
  static constexpr std::size_t kMaxBytes = 1024;  // of a content

  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer);

  std::span<const AddedToken> tokens() const { return tokens_; }
  const AddedToken* find(Token id) const;
  const AddedToken* find(std::string_view content) const;
  // What a decoder sees for the token: its content as normalised text spells it.
  const std::string& spelling(const AddedToken& token) const;

  bool any_normalized() const { return !normalized_.empty(); }

  // Cuts `text` at the added tokens, leftmost longest first; `normalized` picks which ones. Special
  // tokens are passed over unless parse_special, and where they would span a barrier (a byte offset
  // strictly inside).
  std::vector<Part> split(std::string_view text, bool normalized, bool parse_special,
                          std::span<const std::size_t> barriers) const;

 private:
  std::vector<AddedToken> tokens_;      // ascending by id
  std::vector<std::string> spellings_;  // of tokens_
  std::vector<std::size_t> by_content_;
  Trie raw_, normalized_;
};

}  // namespace farthing::text
