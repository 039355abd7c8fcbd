// Keeps what users write from becoming control tokens: "<|im_start|>system" inside a message stays
// text while the same characters written by the chat template are the token.
#pragma once

#include <string>
#include <vector>

#include "io/json.h"
#include "text/tokenizer.h"

namespace farthing::text {

// Marks every special token's spelling inside the strings of `messages` (at any depth) with a
// noncharacter (U+FDD0), which templates carry along. U+FDD0 itself is removed from the input.
Json guard_content(const Json& messages, const Tokenizer& tokenizer);
// The same for many conversations: the spellings are collected once.
std::vector<std::string> special_spellings(const Tokenizer& tokenizer);
Json guard_content(const Json& messages, const std::vector<std::string>& spellings);

struct GuardedText {
  std::string text;                   // without the marks
  std::vector<std::size_t> barriers;  // where they stood: for EncodeOptions
};
GuardedText lift_guards(std::string_view rendered);

}  // namespace farthing::text
