#include "text/word_models.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

Token require_unknown(const Vocabulary& vocabulary, Token unknown, std::string_view name) {
  if (unknown == kNoToken)
    bad_input("{}: the unknown token \"{}\" is not in the vocabulary, and the text needs it",
              vocabulary.where(), printable(name));
  return unknown;
}

}  // namespace

WordPieceModel::WordPieceModel(Vocabulary vocabulary, std::string unknown,
                               std::string continuing_prefix, std::size_t longest_word)
    : Model(std::move(vocabulary)),
      unknown_name_(std::move(unknown)),
      prefix_(std::move(continuing_prefix)),
      longest_word_(longest_word),
      unknown_(vocabulary_.find(unknown_name_)) {}

Token WordPieceModel::longest_start(std::string_view word, std::size_t at, std::size_t& end) const {
  const std::string_view prefix = at == 0 ? std::string_view() : std::string_view(prefix_);
  std::string spelled(prefix);
  spelled += word.substr(at, vocabulary_.longest());
  end = std::min(word.size(), at + vocabulary_.longest());
  while (end < word.size() && end > at && (static_cast<unsigned char>(word[end]) & 0xC0u) == 0x80u)
    --end;
  for (; end > at; end = previous_utf8(word, end)) {
    const std::string_view candidate(spelled.data(), prefix.size() + end - at);
    if (const Token id = vocabulary_.find(candidate); id != kNoToken) return id;
  }
  return kNoToken;
}

void WordPieceModel::encode(std::string_view piece, std::vector<Token>& ids) const {
  const auto characters = std::count_if(piece.begin(), piece.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  });
  const std::size_t before = ids.size();
  bool known = static_cast<std::size_t>(characters) <= longest_word_;
  for (std::size_t at = 0, end = 0; known && at < piece.size(); at = end) {
    const Token id = longest_start(piece, at, end);
    known = id != kNoToken;
    if (known) ids.push_back(id);
  }
  if (known) return;
  ids.resize(before);
  ids.push_back(require_unknown(vocabulary_, unknown_, unknown_name_));
}

WordLevelModel::WordLevelModel(Vocabulary vocabulary, std::string unknown)
    : Model(std::move(vocabulary)),
      unknown_name_(std::move(unknown)),
      unknown_(vocabulary_.find(unknown_name_)) {}

void WordLevelModel::encode(std::string_view piece, std::vector<Token>& ids) const {
  if (piece.empty()) return;
  const Token id = vocabulary_.find(piece);
  ids.push_back(id != kNoToken ? id : require_unknown(vocabulary_, unknown_, unknown_name_));
}

}  // namespace farthing::text
