#include "text/ranked_bpe.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

// Symbols that must not merge carry their id like this.
constexpr Token frozen(Token id) { return -2 - id; }
constexpr bool is_frozen(const Symbol& symbol) { return symbol.id <= -2; }

}  // namespace

std::vector<std::uint32_t> ranks_by_score(const std::vector<float>& scores,
                                          const std::vector<bool>& mergeable) {
  std::vector<float> distinct;
  for (std::size_t id = 0; id < scores.size(); ++id)
    if (mergeable[id]) distinct.push_back(scores[id]);
  std::sort(distinct.begin(), distinct.end(), std::greater<>());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<std::uint32_t> ranks(scores.size(), kNoMerge);
  for (std::size_t id = 0; id < scores.size(); ++id)
    if (mergeable[id])
      ranks[id] = static_cast<std::uint32_t>(
          std::lower_bound(distinct.begin(), distinct.end(), scores[id], std::greater<>()) -
          distinct.begin());
  return ranks;
}

RankedBpeModel::RankedBpeModel(Vocabulary vocabulary, RankedTokens tokens, RankedBpeOptions options)
    : Model(std::move(vocabulary)), tokens_(std::move(tokens)), options_(options) {
  for (int byte = 0; byte < 256; ++byte)
    byte_tokens_[static_cast<std::size_t>(byte)] = vocabulary_.find(token_of_byte(byte));
  std::vector<std::pair<std::string_view, Token>> pieces;
  for (const Token id : tokens_.user_defined)
    if (!vocabulary_.text(id).empty()) pieces.emplace_back(vocabulary_.text(id), id);
  user_defined_ = Trie(std::move(pieces));
  for (Token id = 0; id < vocabulary_.size(); ++id)
    if (tokens_.rank[static_cast<std::size_t>(id)] != kNoMerge)
      adjacency_.add(vocabulary_.text(id));
  tokens_.unused.resize(tokens_.rank.size());
  any_unused_ =
      std::find(tokens_.unused.begin(), tokens_.unused.end(), true) != tokens_.unused.end();
}

void RankedBpeModel::hide(const std::vector<Token>& ids) {
  Model::hide(ids);
  for (const Token id : ids) tokens_.rank[static_cast<std::size_t>(id)] = kNoMerge;
}

Token RankedBpeModel::find_ranked(std::string_view text) const {
  const Token id = vocabulary_.find(text);
  return id != kNoToken && tokens_.rank[static_cast<std::size_t>(id)] != kNoMerge ? id : kNoToken;
}

std::vector<Symbol> RankedBpeModel::split(std::string_view piece) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (std::size_t at = 0; at < piece.size();) {
    const Trie::Found found = user_defined_.longest(piece, at);
    const std::size_t length = found.length > 0 ? found.length : decode_utf8(piece, at).length;
    const Token id = found.length > 0 ? frozen(found.id) : find_ranked(piece.substr(at, length));
    symbols.push_back({id, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)});
    at += length;
  }
  return symbols;
}

void RankedBpeModel::emit(std::string_view text, Token id, bool after_unknown,
                          std::vector<Token>& ids) const {
  if (id != kNoToken) {
    ids.push_back(id);
    return;
  }
  if (options_.byte_fallback) {
    for (const char c : text) {
      const Token byte = byte_tokens_[static_cast<unsigned char>(c)];
      if (byte == kNoToken)
        bad_input("{}: byte fallback needs a token for each byte; the one for {:#04x} is missing",
                  vocabulary_.where(), static_cast<unsigned char>(c));
      ids.push_back(byte);
    }
    return;
  }
  if (!options_.unknown)
    bad_input("{}: the text has \"{}\", which no token covers, and there is no unknown token",
              vocabulary_.where(), printable(text));
  if (!after_unknown) ids.push_back(*options_.unknown);
}

void RankedBpeModel::encode(std::string_view piece, std::vector<Token>& ids) const {
  if (piece.empty()) return;
  if (options_.whole_first) {
    if (const Token whole = find_ranked(piece); whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  if (piece.size() > std::numeric_limits<std::int32_t>::max())
    out_of_resources("a text of {} is too long to tokenise at once", human_bytes(piece.size()));
  std::vector<Symbol> symbols = split(piece);
  std::unordered_map<std::string_view, std::uint32_t> halves;  // of unused tokens: left length
  const auto lookup = [&](const Symbol& a, const Symbol& b) -> Merge {
    if (is_frozen(a) || is_frozen(b)) return {};
    const std::string_view text = piece.substr(a.begin, a.length + b.length);
    const Token id = find_ranked(text);
    if (id == kNoToken) return {};
    const auto index = static_cast<std::size_t>(id);
    if (any_unused_ && tokens_.unused[index]) halves[text] = a.length;
    return {tokens_.rank[index], id};
  };
  merge_runs(symbols, lookup, [&](const Symbol& a, const Symbol& b) {
    return is_frozen(a) || is_frozen(b) ||
           !adjacency_.may_join(decode_utf8(piece, a.begin).code, decode_utf8(piece, b.begin).code);
  });
  bool after_unknown = false;
  std::vector<Symbol> open;  // parts of unused tokens still to give out, last first
  for (const Symbol& symbol : symbols) {
    open.assign(1, symbol);
    while (!open.empty()) {
      const Symbol next = open.back();
      open.pop_back();
      const std::string_view text = piece.substr(next.begin, next.length);
      const Token id = is_frozen(next) ? frozen(next.id) : next.id;
      const bool unused = any_unused_ && id >= 0 && tokens_.unused[static_cast<std::size_t>(id)];
      if (const auto half = halves.find(text); unused && half != halves.end()) {
        const std::uint32_t left = half->second;
        open.push_back({find_ranked(text.substr(left)), next.begin + left, next.length - left});
        open.push_back({find_ranked(text.substr(0, left)), next.begin, left});
        continue;
      }
      emit(text, id, after_unknown, ids);
      after_unknown = id == kNoToken;
    }
  }
}

}  // namespace farthing::text
