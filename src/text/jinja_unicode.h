// Python's str over UTF-8: code points, white space, case, quoting. Texts are well-formed UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace farthing::text::jinja {

inline std::size_t point_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}
inline bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::size_t count_points(std::string_view text);
// The byte where code point `index` begins (its end for index == length).
std::size_t byte_of_point(std::string_view text, std::size_t index);
char32_t decode_point(std::string_view text, std::size_t& at);  // moves `at` past it
void append_point(std::string& out, char32_t point);
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view points);

bool is_space(char32_t point);  // str.isspace
bool is_line_break(char32_t point);
bool is_printable(char32_t point);
bool is_word(char32_t point);  // \w of a regular expression
bool is_alpha(char32_t point);
bool is_decimal(char32_t point);
bool is_digit(char32_t point);
bool is_numeric(char32_t point);
bool is_upper(char32_t point);
bool is_lower(char32_t point);
bool is_title(char32_t point);
inline bool is_cased(char32_t p) { return is_upper(p) || is_lower(p) || is_title(p); }

bool is_upper_text(std::string_view text);  // str.isupper
bool is_lower_text(std::string_view text);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string casefold(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);  // str.title
std::string swapcase(std::string_view text);

// Without leading / trailing white space, or the code points of `set` when it is given.
std::string_view strip(std::string_view text, bool left, bool right,
                       const std::string_view* set = nullptr);
// str.splitlines
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

// find() and rfind() in linear time whatever the texts are.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from = 0);
std::size_t rfind_text(std::string_view text, std::string_view wanted);

std::string quote(std::string_view text);        // repr of a str
std::string quote_ascii(std::string_view text);  // ascii()
std::string format_real(double number);          // repr of a float
std::string escape_html(std::string_view text);  // & < > " '

}  // namespace farthing::text::jinja
