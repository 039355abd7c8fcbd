#include "calibrate/encode.h"

#include "core/error.h"
#include "io/checkpoint.h"
#include "text/chat.h"
#include "text/content_guard.h"

namespace farthing::calibrate {

// Templates may print the date: a fixed one, or samples would change from day to day.
constexpr std::string_view kDate = "2026-01-01";

Encoder::Encoder(const text::Tokenizer& tokenizer, const io::Checkpoint& checkpoint)
    : tokenizer_(tokenizer),
      checkpoint_(checkpoint),
      template_(text::ChatTemplate::load(checkpoint)),
      spellings_(text::special_spellings(tokenizer)) {
  const auto empty = tokenizer.encode("", {.add_special = true, .parse_special = false});
  if (const auto bos = tokenizer.bos(); bos && !empty.empty() && empty.front() == *bos)
    first_ = bos;
}

std::vector<text::Token> Encoder::encode(std::string_view text) const {
  return tokenizer_.encode(text, {.add_special = false, .parse_special = false});
}

std::optional<std::vector<text::Token>> Encoder::encode(const Conversation& conversation,
                                                        std::string& why) const {
  const Json* tools = conversation.tools.is_null() ? nullptr : &conversation.tools;
  std::string rendered;
  try {
    const Json guarded = text::guard_content(conversation.messages, spellings_);
    rendered = template_->render(text::chat_variables(checkpoint_, guarded, tools, false), kDate);
  } catch (const Error& error) {
    why = error.what();
    return std::nullopt;
  }
  const text::GuardedText guarded = text::lift_guards(rendered);
  return tokenizer_.encode(
      guarded.text, {.add_special = false, .parse_special = true, .barriers = guarded.barriers});
}

}  // namespace farthing::calibrate
