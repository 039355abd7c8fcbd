#include "text/pipeline.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

void check_added(const std::vector<AddedToken>& added, const Vocabulary& vocabulary) {
  std::map<Token, std::string_view> contents;
  std::map<std::string_view, Token> ids;
  for (const AddedToken& token : added) {
    if (const auto [first, fresh] = contents.try_emplace(token.id, token.content); !fresh)
      bad_input("{}: the id {} belongs to both added tokens \"{}\" and \"{}\"", vocabulary.where(),
                token.id, printable(first->second), printable(token.content));
    if (const auto [first, fresh] = ids.try_emplace(token.content, token.id); !fresh)
      bad_input("{}: the added token \"{}\" has both the id {} and the id {}", vocabulary.where(),
                printable(token.content), first->second, token.id);
    const Token known = vocabulary.find_even_hidden(token.content);
    const std::string_view holder = vocabulary.text(token.id);
    if (known != kNoToken && known != token.id)
      bad_input("{}: the added token \"{}\" has the id {}, the vocabulary gives it {}",
                vocabulary.where(), printable(token.content), token.id, known);
    if (known == kNoToken && vocabulary.has(token.id))
      bad_input("{}: the added token \"{}\" has the id {}, which belongs to \"{}\"",
                vocabulary.where(), printable(token.content), token.id, printable(holder));
  }
}

// Marks the barriers of a text with a noncharacter that it does not use, so that they can be found
// again once the text is normalised.
std::string mark_barriers(std::string_view text, std::span<const std::size_t> barriers,
                          std::string_view mark) {
  std::string out;
  std::size_t at = 0;
  for (const std::size_t barrier : barriers) {
    out += text.substr(at, barrier - at);
    out += mark;
    at = barrier;
  }
  out += text.substr(at);
  return out;
}

std::vector<std::size_t> lift_marks(std::string& text, std::string_view mark) {
  std::vector<std::size_t> barriers;
  std::string out;
  std::size_t at = 0;
  for (std::size_t found = text.find(mark); found != std::string::npos;
       found = text.find(mark, at)) {
    out.append(text, at, found - at);
    barriers.push_back(out.size());
    at = found + mark.size();
  }
  out.append(text, at);
  text = std::move(out);
  return barriers;
}

std::string unused_noncharacter(std::string_view text) {
  for (char32_t code = 0xFDD0; code <= 0xFDEF; ++code)
    if (std::string mark = to_utf8(code); text.find(mark) == std::string_view::npos) return mark;
  return "";
}

}  // namespace

PipelineTokenizer::PipelineTokenizer(PipelineParts parts) : parts_(std::move(parts)) {
  check_added(parts_.added, parts_.model->vocabulary());
  added_ = AddedTokens(std::move(parts_.added), parts_.normalizer.get());
  size_ = parts_.model->vocabulary().size();
  std::vector<Token> hidden;
  for (const AddedToken& token : added_.tokens()) {
    size_ = std::max<std::int64_t>(size_, token.id + 1);
    if (token.special && parts_.model->vocabulary().has(token.id)) hidden.push_back(token.id);
  }
  special_.resize(static_cast<std::size_t>(size_));
  for (const AddedToken& token : added_.tokens())
    special_[static_cast<std::size_t>(token.id)] = token.special;
  parts_.model->hide(hidden);
}

std::vector<Token> PipelineTokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::string repaired;
  std::vector<std::size_t> barriers(options.barriers.begin(), options.barriers.end());
  std::erase_if(barriers, [&](std::size_t barrier) { return barrier > text.size(); });
  if (!is_utf8(text)) {
    std::size_t at = 0;
    for (std::size_t& barrier : barriers) {
      repaired += repair_utf8(text.substr(at, barrier - at));
      at = std::exchange(barrier, repaired.size());
    }
    repaired += repair_utf8(text.substr(at));
    text = repaired;
  }
  std::vector<Token> ids;
  ids.reserve(text.size() / 3 + 8);
  if (options.add_special) ids = parts_.frame.before;
  for (const Part& part : added_.split(text, false, options.parse_special, barriers)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    std::vector<std::size_t> inside;
    for (auto b = std::lower_bound(barriers.begin(), barriers.end(), part.begin);
         b != barriers.end() && *b <= part.end; ++b)
      inside.push_back(*b - part.begin);
    encode_section(text.substr(part.begin, part.end - part.begin), part.begin == 0, options, inside,
                   ids);
  }
  if (options.add_special)
    ids.insert(ids.end(), parts_.frame.after.begin(), parts_.frame.after.end());
  return ids;
}

// Text between the tokens that are looked for as they came.
void PipelineTokenizer::encode_section(std::string_view text, bool starts_input,
                                       const EncodeOptions& options,
                                       std::span<const std::size_t> barriers,
                                       std::vector<Token>& ids) const {
  NormalText normal{std::string(text), starts_input};
  bool parse_special = options.parse_special;
  std::string mark;
  if (!barriers.empty() && added_.any_normalized()) {
    mark = unused_noncharacter(text);
    parse_special &= !mark.empty();
    if (!mark.empty()) normal.text = mark_barriers(text, barriers, mark);
  }
  if (parts_.normalizer) parts_.normalizer->apply(normal);
  const std::vector<std::size_t> inside =
      mark.empty() ? std::vector<std::size_t>() : lift_marks(normal.text, mark);
  for (const Part& part : added_.split(normal.text, true, parse_special, inside)) {
    if (part.id >= 0)
      ids.push_back(part.id);
    else
      encode_pieces({normal.text.substr(part.begin, part.end - part.begin),
                     normal.starts_input && part.begin == 0},
                    ids);
  }
}

void PipelineTokenizer::encode_pieces(NormalText text, std::vector<Token>& ids) const {
  const std::size_t size = text.text.size();
  Pieces pieces{std::move(text.text), {{0, size, text.starts_input}}};
  if (parts_.pre_tokenizer) parts_.pre_tokenizer->apply(pieces);
  // Words repeat: what one became is copied from where it stands.
  struct Range {
    std::size_t begin, end;
  };
  std::unordered_map<std::string_view, Range> seen;
  constexpr std::size_t kLongestRemembered = 64;
  const bool remember = pieces.list.size() > 32;
  for (const Piece& piece : pieces.list) {
    const std::string_view word = pieces.of(piece);
    if (!remember || word.size() > kLongestRemembered) {
      parts_.model->encode(word, ids);
      continue;
    }
    const auto [entry, added] = seen.try_emplace(word, Range{ids.size(), ids.size()});
    if (added) {
      parts_.model->encode(word, ids);
      entry->second.end = ids.size();
    } else {
      for (std::size_t i = entry->second.begin; i < entry->second.end; ++i) ids.push_back(ids[i]);
    }
  }
}

std::string PipelineTokenizer::token_text(Token id) const {
  if (const AddedToken* token = added_.find(id)) return token->content;
  return std::string(parts_.model->vocabulary().text(id));
}

std::optional<Token> PipelineTokenizer::find(std::string_view token) const {
  if (const AddedToken* added = added_.find(token)) return added->id;
  const Token id = parts_.model->vocabulary().find_even_hidden(token);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

bool PipelineTokenizer::is_special(Token id) const {
  return id >= 0 && id < size_ && special_[static_cast<std::size_t>(id)];
}

std::string PipelineTokenizer::decode_as(std::span<const Token> ids, bool skip_special,
                                         bool raw) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const Token id : ids) {
    if (skip_special && is_special(id)) continue;
    if (const AddedToken* token = added_.find(id))
      tokens.push_back(added_.spelling(*token));
    else if (parts_.model->vocabulary().has(id))
      tokens.emplace_back(parts_.model->vocabulary().text(id));
  }
  if (tokens.empty()) return "";
  std::size_t bytes = 0;
  for (const std::string& token : tokens) bytes += token.size();
  if (parts_.decoder) parts_.decoder->apply(tokens, raw, growth_limit(bytes));
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !parts_.decoder) out += ' ';
    out += tokens[i];
  }
  return out;
}

std::string PipelineTokenizer::decode(std::span<const Token> ids, bool skip_special) const {
  return decode_as(ids, skip_special, false);
}
std::string PipelineTokenizer::decode_bytes(std::span<const Token> ids, bool skip_special) const {
  return decode_as(ids, skip_special, true);
}

}  // namespace farthing::text
