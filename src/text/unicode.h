// UTF-8, and the character classes that the original tokenizers use (see unicode_tables.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace farthing::text {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code;
  std::uint32_t length;  // bytes, at least 1
};
// The character at `at` < text.size(). A byte that starts no whole character is U+FFFD of length 1.
Decoded decode_utf8(std::string_view text, std::size_t at);
void append_utf8(std::string& out, char32_t code);
std::string to_utf8(char32_t code);
std::u32string to_utf32(std::string_view text);
// Where the character that ends at `end` > 0 starts, in valid UTF-8.
std::size_t previous_utf8(std::string_view text, std::size_t end);
// Bytes at the end that may be the start of an unfinished character (0 to 3).
std::size_t unfinished_utf8(std::string_view text);
// Each maximal ill-formed piece becomes U+FFFD, as Python and Rust decode leniently (Unicode 16,
// table 3-8).
std::string repair_utf8(std::string_view text);

// In the order of tools/make_unicode_tables.py.
enum Category : std::uint8_t {
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,
  kPe,
  kPi,
  kPf,
  kPo,
  kSm,
  kSc,
  kSk,
  kSo,
  kZs,
  kZl,
  kZp,
  kCc,
  kCf,
  kCs,
  kCo,
  kCn,
};

// Bits beside the category.
enum CharacterFlag : std::uint16_t {
  kEngineWord = 1 << 5,    // \w of the split patterns' engine
  kRustWord = 1 << 6,      // \w of Rust's regex crate
  kRustNumeric = 1 << 7,   // char::is_numeric
  kPunctuation = 1 << 8,   // the Punctuation pre-tokenizer's
  kAccent = 1 << 9,        // removed by StripAccents
  kBertAccent = 1 << 10,   // removed by BertNormalizer
  kBertRemoved = 1 << 11,  // a control character to BertNormalizer
  kNotNormalised = 1 << 12,
  kSpace = 1 << 13,   // \s
  kLetter = 1 << 14,  // \p{L}
  kNumber = 1 << 15,  // \p{N}
};

// Category in the low five bits, flags above.
class CharacterTable {
 public:
  static const CharacterTable& get();
  std::uint16_t operator[](char32_t code) const {
    return code < bits_.size() ? bits_[code] : std::uint16_t{kCn};
  }

 private:
  CharacterTable();
  std::array<std::uint16_t, 0x110000> bits_{};
};

inline std::uint16_t properties(char32_t code) { return CharacterTable::get()[code]; }
inline Category category(char32_t code) { return static_cast<Category>(properties(code) & 31); }
inline bool in_categories(std::uint16_t bits, Category first, Category last) {
  return (bits & 31) >= first && (bits & 31) <= last;
}
inline bool is_space(char32_t code) { return (properties(code) & kSpace) != 0; }

// Lower case, one character at a time, without context ("İ" gives two).
void append_lower(std::string& out, char32_t code);

}  // namespace farthing::text
