#include "text/bpe.h"

#include <bit>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

std::uint64_t pair_key(Token left, Token right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::size_t spread(std::uint64_t key) {
  key *= 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(key ^ key >> 32);
}

}  // namespace

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char digit : token.substr(3, 2)) {
    if (digit >= '0' && digit <= '9')
      value = value * 16 + (digit - '0');
    else if (digit >= 'A' && digit <= 'F')
      value = value * 16 + (digit - 'A' + 10);
    else
      return -1;
  }
  return value;
}

std::string token_of_byte(int byte) { return fmt::format("<0x{:02X}>", byte); }

BpeModel::BpeModel(Vocabulary vocabulary, BpeOptions options)
    : Model(std::move(vocabulary)), options_(std::move(options)) {
  if (options_.unknown) unknown_ = vocabulary_.find(*options_.unknown);
  for (int byte = 0; byte < 256; ++byte)
    byte_tokens_[static_cast<std::size_t>(byte)] = vocabulary_.find(token_of_byte(byte));
}

void BpeModel::reserve_merges(std::size_t count) {
  pairs_.assign(std::bit_ceil(std::max<std::size_t>(64, count * 2)), {});
}

void BpeModel::put_merge(std::uint64_t key, Merge merge) {
  const std::size_t mask = pairs_.size() - 1;
  std::size_t at = spread(key) & mask;
  while (pairs_[at].merge.rank != kNoMerge && pairs_[at].key != key) at = (at + 1) & mask;
  pairs_[at] = {key, merge};
}

void BpeModel::add_merge(std::string_view left, std::string_view right) {
  const auto known = [&](std::string_view part) {
    const Token id = vocabulary_.find_even_hidden(part);
    if (id == kNoToken)
      bad_input("{}: merge {} needs the token \"{}\", which the vocabulary lacks",
                vocabulary_.where(), merges_, printable(part));
    return id;
  };
  const Token left_id = known(left), right_id = known(right);
  if (left.size() + right.size() > Vocabulary::kMaxPieceBytes)
    bad_input("{}: merge {} makes a token of {} bytes; the limit is {}", vocabulary_.where(),
              merges_, left.size() + right.size(), Vocabulary::kMaxPieceBytes);
  const std::size_t prefix = options_.continuing_prefix.size();
  std::string whole(left);
  whole += right.substr(std::min(prefix, right.size()));
  const Token id = known(whole);
  if (static_cast<std::size_t>(merges_) * 2 >= pairs_.size()) {
    std::vector<Pair> old = std::move(pairs_);
    reserve_merges(std::max<std::size_t>(64, old.size()));
    for (const Pair& pair : old)
      if (pair.merge.rank != kNoMerge) put_merge(pair.key, pair.merge);
  }
  put_merge(pair_key(left_id, right_id), {merges_++, id});
}

void BpeModel::finish() {
  if (pairs_.empty()) reserve_merges(0);
  for (char32_t code = 0; code < character_ids_.size(); ++code)
    character_ids_[code] = vocabulary_.find(to_utf8(code));
  adjacency_.clear();
  for (const Pair& pair : pairs_)
    if (pair.merge.rank != kNoMerge) adjacency_.add(vocabulary_.text(pair.merge.id));
}

// Only for symbols that stand for themselves: byte and unknown tokens are spelled otherwise.
bool BpeModel::never_joins(std::string_view piece, const Symbol& left, const Symbol& right) const {
  if (!options_.continuing_prefix.empty() || !options_.end_suffix.empty()) return false;
  const auto spelled = [&](const Symbol& symbol) {
    return piece.substr(symbol.begin, symbol.length) == vocabulary_.text(symbol.id);
  };
  return !adjacency_.may_join(decode_utf8(piece, left.begin).code,
                              decode_utf8(piece, right.begin).code) &&
         spelled(left) && spelled(right);
}

void BpeModel::hide(const std::vector<Token>& ids) {
  if (ids.empty()) return;
  Model::hide(ids);
  const auto shown = [&](Token id) { return vocabulary_.find(vocabulary_.text(id)) == id; };
  std::vector<Pair> old = std::move(pairs_);
  reserve_merges(old.size() / 2);
  for (const Pair& pair : old)
    if (pair.merge.rank != kNoMerge && (shown(pair.merge.id) || pair.merge.id == unknown_))
      put_merge(pair.key, pair.merge);
  finish();
}

Merge BpeModel::find_merge(Token left, Token right) const {
  const std::uint64_t key = pair_key(left, right);
  const std::size_t mask = pairs_.size() - 1;
  for (std::size_t at = spread(key) & mask;; at = (at + 1) & mask) {
    const Pair& pair = pairs_[at];
    if (pair.merge.rank == kNoMerge || pair.key == key) return pair.merge;
  }
}

Token BpeModel::character(std::string_view text, bool first, bool last) const {
  const bool prefixed = !first && !options_.continuing_prefix.empty();
  const bool suffixed = last && !options_.end_suffix.empty();
  if (!prefixed && !suffixed) {
    if (text.size() <= 2) return character_ids_[decode_utf8(text, 0).code];
    return vocabulary_.find(text);
  }
  std::string spelled = prefixed ? options_.continuing_prefix : std::string();
  spelled += text;
  if (suffixed) spelled += options_.end_suffix;
  return vocabulary_.find(spelled);
}

bool BpeModel::push_bytes(std::string_view text, std::size_t begin,
                          std::vector<Symbol>& symbols) const {
  for (const char c : text)
    if (byte_tokens_[static_cast<unsigned char>(c)] == kNoToken) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    symbols.push_back({byte_tokens_[static_cast<unsigned char>(text[i])],
                       static_cast<std::uint32_t>(begin + i), 1});
  return true;
}

void BpeModel::split(std::string_view piece, std::vector<Symbol>& symbols) const {
  Symbol unknown{kNoToken, 0, 0};  // one that is still growing
  const auto flush = [&] {
    if (unknown.length > 0) symbols.push_back(unknown);
    unknown.length = 0;
  };
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t length = decode_utf8(piece, at).length;
    const std::string_view text = piece.substr(at, length);
    const Token id = character(text, at == 0, at + length == piece.size());
    if (id != kNoToken) {
      flush();
      symbols.push_back({id, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)});
    } else if (!options_.byte_fallback || !push_bytes(text, at, symbols)) {
      if (options_.unknown) {
        if (unknown_ == kNoToken)
          bad_input("{}: unk_token \"{}\" is not in the vocabulary, and the text needs it",
                    vocabulary_.where(), printable(*options_.unknown));
        if (!options_.fuse_unknown) flush();
        if (unknown.length == 0) unknown = {unknown_, static_cast<std::uint32_t>(at), 0};
        unknown.length += static_cast<std::uint32_t>(length);
      }
    }
    at += length;
  }
  flush();
}

void BpeModel::encode(std::string_view piece, std::vector<Token>& ids) const {
  if (options_.ignore_merges) {
    if (const Token whole = vocabulary_.find(piece); whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  if (piece.size() > std::numeric_limits<std::int32_t>::max())
    out_of_resources("a text of {} is too long to tokenise at once", human_bytes(piece.size()));
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  split(piece, symbols);
  merge_runs(
      symbols, [&](const Symbol& a, const Symbol& b) { return find_merge(a.id, b.id); },
      [&](const Symbol& a, const Symbol& b) { return never_joins(piece, a, b); });
  for (const Symbol& symbol : symbols) ids.push_back(symbol.id);
}

}  // namespace farthing::text
