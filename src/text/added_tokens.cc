#include "text/added_tokens.h"

#include <algorithm>
#include <numeric>

#include "text/unicode.h"

namespace farthing::text {
namespace {

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && (properties(decode_utf8(text, previous_utf8(text, at)).code) & kRustWord) != 0;
}
bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && (properties(decode_utf8(text, at).code) & kRustWord) != 0;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer)
    : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (const AddedToken& token : tokens_) {
    NormalText text{token.content, true, kMaxBytes * 16};
    if (token.normalized && normalizer != nullptr) normalizer->apply(text);
    spellings_.push_back(std::move(text.text));
  }
  using Entries = std::vector<std::pair<std::string_view, Token>>;
  const auto build = [](Entries entries) {
    std::sort(entries.begin(), entries.end());  // of equal ones the lowest id stays
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
    return Trie(std::move(entries));
  };
  Entries raw, normalized;
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    if (!spellings_[i].empty())
      (tokens_[i].normalized ? normalized : raw).emplace_back(spellings_[i], static_cast<Token>(i));
  raw_ = build(std::move(raw));
  normalized_ = build(std::move(normalized));
  by_content_.resize(tokens_.size());
  std::iota(by_content_.begin(), by_content_.end(), 0);
  std::sort(by_content_.begin(), by_content_.end(),
            [&](std::size_t a, std::size_t b) { return tokens_[a].content < tokens_[b].content; });
}

const AddedToken* AddedTokens::find(Token id) const {
  const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), id,
                                      [](const AddedToken& t, Token i) { return t.id < i; });
  return found != tokens_.end() && found->id == id ? &*found : nullptr;
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = std::lower_bound(
      by_content_.begin(), by_content_.end(), content,
      [&](std::size_t i, std::string_view wanted) { return tokens_[i].content < wanted; });
  const bool equal = found != by_content_.end() && tokens_[*found].content == content;
  return equal ? &tokens_[*found] : nullptr;
}

const std::string& AddedTokens::spelling(const AddedToken& token) const {
  return spellings_[static_cast<std::size_t>(&token - tokens_.data())];
}

std::vector<Part> AddedTokens::split(std::string_view text, bool normalized, bool parse_special,
                                     std::span<const std::size_t> barriers) const {
  const Trie& trie = normalized ? normalized_ : raw_;
  std::vector<Part> parts;
  std::size_t done = 0;  // text before this is in parts
  for (std::size_t at = 0; !trie.empty() && at < text.size();) {
    const Trie::Found found = trie.longest(text, at);
    if (found.length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found.id)];
    std::size_t begin = at, end = at + found.length;
    const auto barrier = std::upper_bound(barriers.begin(), barriers.end(), begin);
    if (token.special && barrier != barriers.end() && *barrier < end) {
      ++at;
      continue;
    }
    at = end;
    if (token.special && !parse_special) continue;
    if (token.single_word && (word_before(text, begin) || word_after(text, end))) continue;
    while (token.lstrip && begin > done) {
      const std::size_t previous = previous_utf8(text, begin);
      if (!is_space(decode_utf8(text, previous).code)) break;
      begin = std::max(previous, done);
    }
    while (token.rstrip && end < text.size()) {
      const Decoded next = decode_utf8(text, end);
      if (!is_space(next.code)) break;
      end += next.length;
    }
    if (done < begin) parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace farthing::text
