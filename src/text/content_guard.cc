#include "text/content_guard.h"

namespace farthing::text {
namespace {

constexpr std::string_view kMark = "\xEF\xB7\x90";  // U+FDD0

std::string guard(std::string text, const std::vector<std::string>& spellings) {
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) text.erase(at, kMark.size());
  for (const std::string& spelling : spellings)
    for (std::size_t at = text.find(spelling); at != std::string::npos; at = text.find(spelling, at + 1 + kMark.size()))
      text.insert(at + 1, kMark);
  return text;
}

void guard_strings(Json& value, const std::vector<std::string>& spellings) {
  if (value.is_string()) value = guard(value.get<std::string>(), spellings);
  else if (value.is_structured())
    for (Json& inner : value) guard_strings(inner, spellings);
}

}  // namespace

std::vector<std::string> special_spellings(const Tokenizer& tokenizer) {
  std::vector<std::string> spellings;
  for (Token id = 0; id < tokenizer.size(); ++id)
    if (tokenizer.is_special(id) && tokenizer.token_text(id).size() > 1) spellings.push_back(tokenizer.token_text(id));
  return spellings;
}

Json guard_content(const Json& messages, const Tokenizer& tokenizer) {
  return guard_content(messages, special_spellings(tokenizer));
}

Json guard_content(const Json& messages, const std::vector<std::string>& spellings) {
  Json guarded = messages;
  guard_strings(guarded, spellings);
  return guarded;
}

GuardedText lift_guards(std::string_view rendered) {
  GuardedText result;
  while (true) {
    const std::size_t at = rendered.find(kMark);
    result.text += rendered.substr(0, at);
    if (at == std::string_view::npos) return result;
    result.barriers.push_back(result.text.size());
    rendered.remove_prefix(at + kMark.size());
  }
}

}  // namespace farthing::text
