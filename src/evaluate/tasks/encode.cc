#include "evaluate/tasks/encode.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "text/jinja_unicode.h"

namespace farthing::evaluate {

std::optional<Token> TaskEncoder::prefix() const {
  if (const auto bos = tokenizer_.bos()) return bos;
  const std::vector<Token> eos = tokenizer_.eos();
  return eos.empty() ? std::nullopt : std::optional(eos.front());
}

// A text that brings its own beginning-of-text token does not get a second one.
std::vector<Token> TaskEncoder::encode_text(std::string_view text) const {
  const auto first = prefix();
  const std::string spelled = first ? tokenizer_.token_text(*first) : "";
  return tokenizer_.encode(text, {.add_special = spelled.empty() || !text.starts_with(spelled)});
}

Continuation TaskEncoder::encode(std::string_view context, std::string_view continuation,
                                 std::string_view where) {
  std::vector<Token> before, all;
  if (context.empty()) {
    all = tokenizer_.encode(continuation, {.add_special = false});
    const auto first = prefix();
    if (!first)
      bad_input("{}: the context is empty and the tokenizer has no token to begin a text with",
                where);
    if (all.empty() || all.front() != *first) all.insert(all.begin(), *first);
    before = {*first};
  } else {
    const std::string_view kept = text::jinja::strip(context, false, true);
    before = encode_text(kept);
    all = encode_text(std::string(context) + std::string(continuation));
    // The pieces are joined again: a context that is tokenised differently alone stays as it was.
    const std::size_t border = std::min(before.size(), all.size());
    std::ranges::copy_n(before.begin(), static_cast<std::ptrdiff_t>(border), all.begin());
  }
  Continuation c{.tokens = std::move(all), .scored = 0};
  c.scored = static_cast<std::int64_t>(c.tokens.size() - std::min(before.size(), c.tokens.size()));
  if (c.scored < 1 || before.empty())
    bad_input("{}: the continuation \"{}\" has no token of its own", where,
              printable(continuation, 40));
  if (c.scored > max_positions_)
    bad_input("{}: the continuation has {} tokens, more than the {} positions of the model", where,
              c.scored, max_positions_);
  const auto longest = static_cast<std::size_t>(max_positions_) + 1;
  if (c.tokens.size() > longest) {
    c.tokens.erase(c.tokens.begin(), c.tokens.end() - static_cast<std::ptrdiff_t>(longest));
    ++truncated_;
  }
  return c;
}

Question TaskEncoder::encode(const Item& item, std::string_view where) {
  Question question;
  for (std::size_t i = 0; i < item.continuations.size(); ++i)
    question.push_back(encode(item.context(i), item.continuations[i], where));
  return question;
}

}  // namespace farthing::evaluate
