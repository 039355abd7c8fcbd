#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace farthing::text {

UnigramModel::UnigramModel(Vocabulary vocabulary, std::vector<double> scores,
                           std::vector<bool> matchable, std::vector<bool> user_defined,
                           UnigramOptions options)
    : Model(std::move(vocabulary)),
      scores_(std::move(scores)),
      matchable_(std::move(matchable)),
      user_defined_(std::move(user_defined)),
      options_(options) {
  const auto count = static_cast<std::size_t>(vocabulary_.size());
  double least = std::numeric_limits<double>::max();
  for (std::size_t id = 0; id < count; ++id) {
    if (!matchable_[id] || user_defined_[id]) continue;
    least = std::min(least, scores_[id]);
  }
  unknown_score_ = rounded(least - 10.0);
  for (int byte = 0; byte < 256; ++byte)
    byte_tokens_.push_back(vocabulary_.find(token_of_byte(byte)));
  build_trie();
}

void UnigramModel::build_trie() {
  std::vector<std::pair<std::string_view, Token>> pieces;
  for (Token id = 0; id < vocabulary_.size(); ++id)
    if (matchable_[static_cast<std::size_t>(id)] && !vocabulary_.text(id).empty())
      pieces.emplace_back(vocabulary_.text(id), id);
  trie_ = Trie(std::move(pieces));
}

void UnigramModel::hide(const std::vector<Token>& ids) {
  Model::hide(ids);
  bool changed = false;
  for (const Token id : ids) {
    if (static_cast<std::size_t>(id) >= matchable_.size()) continue;
    changed |= matchable_[static_cast<std::size_t>(id)];
    matchable_[static_cast<std::size_t>(id)] = false;
  }
  if (changed) build_trie();
}

void UnigramModel::forward(std::string_view piece, std::vector<Step>& steps) const {
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t character = decode_utf8(piece, at).length;
    const double here = steps[at].score;
    const auto offer = [&](std::size_t length, Token id, double score) {
      Step& target = steps[at + length];
      const double total = rounded(here + score);
      if (!target.reached || total > target.score) target = {total, at, id, true};
    };
    bool has_single = false;
    trie_.prefixes(piece, at, [&](std::size_t length, Token id) {
      const auto index = static_cast<std::size_t>(id);
      // What SentencePiece 0.2.3 gives a user-defined symbol: more than any split of it.
      const double score =
          user_defined_[index] ? rounded(0.1 * (static_cast<double>(length) - 1)) : scores_[index];
      offer(length, id, score);
      has_single |= length == character;
    });
    if (!has_single) offer(character, kNoToken, unknown_score_);
    at += character;
  }
}

void UnigramModel::emit(std::string_view text, Token id, std::vector<Token>& ids) const {
  if (id != kNoToken && id != options_.unknown.value_or(kNoToken)) {
    ids.push_back(id);
    return;
  }
  if (const Token whole = id == kNoToken ? vocabulary_.find(text) : kNoToken; whole != kNoToken) {
    ids.push_back(whole);
    return;
  }
  if (options_.byte_fallback && std::all_of(text.begin(), text.end(), [&](char c) {
        return byte_tokens_[static_cast<unsigned char>(c)] != kNoToken;
      })) {
    for (const char c : text) ids.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
    return;
  }
  if (!options_.unknown)
    bad_input("{}: the text has \"{}\", which no token covers, and the model names no unk_id",
              vocabulary_.where(), printable(text));
  ids.push_back(*options_.unknown);
}

void UnigramModel::encode(std::string_view piece, std::vector<Token>& ids) const {
  if (piece.empty()) return;
  std::vector<Step> steps(piece.size() + 1);
  forward(piece, steps);
  struct Part {
    std::size_t begin, end;
    Token id;
  };
  std::vector<Part> parts;
  const Token unknown = options_.unknown.value_or(kNoToken);
  for (std::size_t end = piece.size(); end > 0; end = steps[end].begin) {
    const Token id = steps[end].id == unknown ? kNoToken : steps[end].id;
    // Neighbouring unknown characters are one unknown piece.
    if (id == kNoToken && !parts.empty() && parts.back().id == kNoToken &&
        (options_.fuse_unknown_bytes || !options_.byte_fallback))
      parts.back().begin = steps[end].begin;
    else
      parts.push_back({steps[end].begin, end, id});
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    emit(piece.substr(part->begin, part->end - part->begin), part->id, ids);
}

}  // namespace farthing::text
