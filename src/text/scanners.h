// Hand-written scanners for the split patterns of known tokenizers: one pass, no backtracking over
// more than a run, exact character classes. Each names the expression that it stands for.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/unicode.h"

namespace farthing::text {

// A place in a text and the class of the character there.
class Scan {
 public:
  Scan(std::string_view text, const CharacterTable& table) : text_(text), table_(table) {}

  std::string_view text() const { return text_; }
  bool ends(std::size_t at) const { return at >= text_.size(); }
  // The character's bits and where the next one starts; bits 0 (an upper-case letter without its
  // flags, which nothing has) at the end.
  struct Here {
    std::uint16_t bits = 0;
    std::size_t next = 0;
    char32_t code = 0;
  };
  Here at(std::size_t position) const {
    if (ends(position)) return {0, position, 0};
    const auto byte = static_cast<unsigned char>(text_[position]);
    if (byte < 0x80) return {table_[byte], position + 1, byte};
    const Decoded decoded = decode_utf8(text_, position);
    return {table_[decoded.code], position + decoded.length, decoded.code};
  }
  char byte(std::size_t position) const { return ends(position) ? '\0' : text_[position]; }

  // The end of the longest run of at most `limit` characters that `member` takes.
  template <class Member>
  std::size_t run(std::size_t position, const Member& member,
                  std::size_t limit = std::string_view::npos) const {
    for (std::size_t taken = 0; taken < limit && !ends(position); ++taken) {
      const Here here = at(position);
      if (!member(here)) break;
      position = here.next;
    }
    return position;
  }

 private:
  std::string_view text_;
  const CharacterTable& table_;
};

// Each takes a place in the text and returns where the match that starts there ends, or the place
// itself when none does.

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t scan_gpt2(const Scan& scan, std::size_t at);

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+ and its relatives
struct WordRules {
  std::size_t digits = 3;  // of one number: {1,digits}
  bool marks = false;      // [\p{L}\p{M}]+ for words, and marks are no symbols
  bool contractions = true;
};
std::size_t scan_words(const Scan& scan, std::size_t at, const WordRules& rules);

// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|...)?
// |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|...)?
// |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t scan_cased_words(const Scan& scan, std::size_t at, const WordRules& rules);

// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
// | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t scan_deepseek3(const Scan& scan, std::size_t at);

//  ?[^(\s|[.,!?…。，、।۔،])]+
std::size_t scan_bloom(const Scan& scan, std::size_t at);

// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t scan_spaces(const Scan& scan, std::size_t at);

}  // namespace farthing::text
