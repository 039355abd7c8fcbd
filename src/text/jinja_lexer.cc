#include "text/jinja_lexer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

// "\r\n" and "\r" become "\n", and one newline at the end of the template goes.
std::string normalize(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize(source)), text_(source_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) read_data();
    add(Lexeme::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void error(std::string message) const {
    throw SyntaxError{std::move(message), line_};
  }

  void add(Lexeme type, std::string text) {
    tokens_.push_back({type, line_, std::move(text), 0, 0});
  }
  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    line_starting_ = to > 0 && to > at_ && text_[to - 1] == '\n';
    at_ = to;
  }
  std::size_t skip_space(std::size_t from) const {
    const std::string_view rest = text_.substr(from);
    return from + (rest.size() - strip(rest, true, false).size());
  }

  // The end of "raw" or "endraw" with the tag that closes it when one begins at `from` (behind the
  // opening mark and its sign); 0 when there is none.
  std::size_t raw_tag_end(std::size_t from, std::string_view name, bool closing) const {
    std::size_t i = skip_space(from);
    if (!text_.substr(i).starts_with(name)) return 0;
    i = skip_space(i + name.size());
    const std::string_view rest = text_.substr(i);
    if (rest.starts_with("-%}")) return skip_space(i + 3);
    if (closing && rest.starts_with("+%}")) return i + 3;
    if (!rest.starts_with("%}")) return 0;
    return closing && rest.starts_with("%}\n") ? i + 3 : i + 2;
  }

  // Text in front of a tag: "-" takes its white space, and a line that holds nothing else before a
  // block or comment loses its indentation.
  std::string_view trim_data(std::string_view data, char sign, bool variable) const {
    if (sign == '-') return strip(data, false, true);
    if (sign == '+' || variable) return data;
    const std::size_t newline = data.rfind('\n');
    const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line == 0 && !line_starting_) return data;
    if (line < data.size() && strip(data.substr(line), true, false).empty())
      return data.substr(0, line);
    return data;
  }

  std::size_t next_tag() const {
    for (std::size_t i = text_.find('{', at_); i != std::string_view::npos && i + 1 < text_.size();
         i = text_.find('{', i + 1))
      if (text_[i + 1] == '{' || text_[i + 1] == '%' || text_[i + 1] == '#') return i;
    return std::string_view::npos;
  }

  void read_data() {
    const std::size_t tag = next_tag();
    if (tag == std::string_view::npos) {
      add(Lexeme::kData, std::string(text_.substr(at_)));
      return advance(text_.size());
    }
    const char kind = text_[tag + 1];
    std::size_t inside = tag + 2;
    const char sign = inside < text_.size() && (text_[inside] == '-' || text_[inside] == '+')
                          ? text_[inside++]
                          : ' ';
    const std::string_view data = trim_data(text_.substr(at_, tag - at_), sign, kind == '{');
    if (!data.empty()) add(Lexeme::kData, std::string(data));
    if (kind == '#') {
      advance(inside);
      return read_comment();
    }
    if (const std::size_t end = kind == '%' ? raw_tag_end(inside, "raw", false) : 0) {
      advance(end);
      return read_raw();
    }
    advance(inside);
    read_tag(kind == '{');
  }

  void read_comment() {
    const std::size_t end = text_.find("#}", at_);
    if (at_ == text_.size()) return;  // Jinja misses the end only if something is behind the mark
    if (end == std::string_view::npos) error("a comment is not closed by '#}'");
    const char sign = end > at_ ? text_[end - 1] : ' ';
    std::size_t after = end + 2;
    if (sign == '-')
      after = skip_space(after);
    else if (sign != '+' && after < text_.size() && text_[after] == '\n')
      ++after;
    advance(after);
  }

  void read_raw() {
    for (std::size_t i = text_.find("{%", at_); i != std::string_view::npos;
         i = text_.find("{%", i + 2)) {
      std::size_t inside = i + 2;
      // The sign is optional, so "{%-endraw" is also tried without it, which cannot match.
      const char sign = inside < text_.size() && (text_[inside] == '-' || text_[inside] == '+')
                            ? text_[inside++]
                            : ' ';
      const std::size_t end = raw_tag_end(inside, "endraw", true);
      if (end == 0) continue;
      const std::string_view data = trim_data(text_.substr(at_, i - at_), sign, false);
      if (!data.empty()) add(Lexeme::kData, std::string(data));
      return advance(end);
    }
    if (at_ == text_.size()) return;
    error("a raw block is not closed by '{% endraw %}'");
  }

  // Moves past the end of a tag if it is here; brackets that are open hide it.
  bool read_tag_end(bool variable) {
    if (!brackets_.empty()) return false;
    const std::string_view close = variable ? "}}" : "%}";
    const bool minus = looking_at("-") && text_.substr(at_ + 1).starts_with(close);
    const bool plus = !variable && looking_at("+") && text_.substr(at_ + 1).starts_with(close);
    if (!minus && !plus && !looking_at(close)) return false;
    add(variable ? Lexeme::kVariableEnd : Lexeme::kBlockEnd, "");
    std::size_t after = at_ + 2 + (minus || plus);
    if (minus)
      after = skip_space(after);
    else if (!variable && !plus && after < text_.size() && text_[after] == '\n')
      ++after;
    advance(after);
    return true;
  }

  void read_tag(bool variable) {
    add(variable ? Lexeme::kVariableBegin : Lexeme::kBlockBegin, "");
    brackets_.clear();
    while (at_ < text_.size()) {
      if (read_tag_end(variable)) return;
      if (const std::size_t after = skip_space(at_); after != at_)
        advance(after);
      else
        read_token();
    }
  }

  void read_token() {
    const char c = text_[at_];
    if (is_decimal_digit(c)) return read_number();
    if (c == '\'' || c == '"') return read_string(c);
    std::size_t after = at_;
    if (is_word(decode_point(text_, after))) return read_name();
    read_operator();
  }

  void read_name() {
    std::size_t end = at_;
    for (std::size_t next = end; next < text_.size(); end = next) {
      const char32_t point = decode_point(text_, next);
      if (!is_word(point)) break;
    }
    add(Lexeme::kName, std::string(text_.substr(at_, end - at_)));
    advance(end);
  }

  // Digits with single underscores between them; returns `from` when there are none.
  std::size_t digits_end(std::size_t from) const {
    std::size_t i = from;
    while (i < text_.size() &&
           (is_decimal_digit(text_[i]) || (text_[i] == '_' && i > from && i + 1 < text_.size() &&
                                           is_decimal_digit(text_[i + 1]))))
      ++i;
    return i;
  }

  void read_number() {
    const std::size_t whole = digits_end(at_);
    std::size_t end = whole;
    const bool after_dot = at_ > 0 && text_[at_ - 1] == '.';
    if (!after_dot) {
      if (end < text_.size() && text_[end] == '.' && digits_end(end + 1) > end + 1)
        end = digits_end(end + 1);
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        std::size_t power = end + 1;
        if (power < text_.size() && (text_[power] == '+' || text_[power] == '-')) ++power;
        if (digits_end(power) > power) end = digits_end(power);
      }
    }
    if (end > whole) {
      std::string digits(text_.substr(at_, end - at_));
      std::erase(digits, '_');
      add(Lexeme::kFloat, "");
      tokens_.back().real = std::strtod(digits.c_str(), nullptr);
      return advance(end);
    }
    read_integer();
  }

  static int digit_value(char c) {
    if (is_decimal_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
  }

  void read_integer() {
    int base = 10;
    std::size_t i = at_;
    if (text_[i] == '0' && i + 1 < text_.size()) {
      const char mark = static_cast<char>(text_[i + 1] | 0x20);
      base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
      const std::size_t first = i + 2 + (i + 2 < text_.size() && text_[i + 2] == '_');
      if (base != 10 && first < text_.size() && digit_value(text_[first]) < base)
        i += 2;
      else
        base = 10;
    }
    const bool zero = base == 10 && text_[i] == '0';  // "007" is 00 and 7, as in Python's rule
    std::uint64_t value = 0;
    for (; i < text_.size(); ++i) {
      const bool gap = text_[i] == '_' && i + 1 < text_.size();
      const int digit = digit_value(text_[gap ? i + 1 : i]);
      if (digit >= base || (zero && digit != 0)) break;
      if (gap) ++i;
      if (__builtin_mul_overflow(value, static_cast<unsigned>(base), &value) ||
          __builtin_add_overflow(value, static_cast<unsigned>(digit), &value) || value >> 63 != 0)
        error("an integer does not fit 64 bits");
    }
    add(Lexeme::kInteger, "");
    tokens_.back().integer = static_cast<std::int64_t>(value);
    advance(i);
  }

  void read_string(char mark) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != mark) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) error(fmt::format("a string that begins with {} is not closed", mark));
    std::string value = unescape(text_.substr(at_ + 1, end - at_ - 1));
    add(Lexeme::kString, std::move(value));
    advance(end + 1);
  }

  // One escape at `i` (the character behind the backslash).
  void append_escape(std::string& out, std::string_view raw, std::size_t& i) const {
    static constexpr std::string_view kNames = "abfnrtv\\'\"";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
    const char c = raw[i];
    if (const std::size_t simple = kNames.find(c); simple != std::string_view::npos) {
      out += kValues[simple];
      ++i;
    } else if (c == '\n') {
      ++i;
    } else if (c >= '0' && c <= '7') {
      char32_t point = 0;
      for (int n = 0; n < 3 && i < raw.size() && raw[i] >= '0' && raw[i] <= '7'; ++n)
        point = point * 8 + static_cast<char32_t>(raw[i++] - '0');
      append_point(out, point);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_point(out, hex_escape(raw, i, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c == 'N') {
      throw SyntaxError{"a character given by name (\\N) is not supported", line_, true};
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // Jinja writes such a character as its number before it reads the escapes.
      const char32_t point = decode_point(raw, i);
      out += fmt::format(fmt::runtime(point < 0x100     ? "\\x{:02x}"
                                      : point < 0x10000 ? "\\u{:04x}"
                                                        : "\\U{:08x}"),
                         static_cast<unsigned>(point));
    } else {
      out += '\\';
      out += c;
      ++i;
    }
  }

  char32_t hex_escape(std::string_view raw, std::size_t& i, int digits) const {
    char32_t point = 0;
    ++i;
    for (int n = 0; n < digits; ++n, ++i) {
      if (i >= raw.size() || digit_value(raw[i]) > 15) error("a string has a cut-off \\ escape");
      point = point * 16 + static_cast<char32_t>(digit_value(raw[i]));
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
      error("a string has an escape that is not a character");
    return point;
  }

  std::string unescape(std::string_view raw) const {
    std::string out;
    for (std::size_t i = 0; i < raw.size();) {
      if (raw[i] != '\\' || i + 1 >= raw.size()) {
        out += raw[i++];
        continue;
      }
      ++i;
      append_escape(out, raw, i);
    }
    return out;
  }

  void read_operator() {
    static constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    std::string_view op = text_.substr(at_, 1);
    for (const std::string_view two : kTwo)
      if (looking_at(two)) op = two;
    if (op.size() == 1 &&
        std::string_view("+-/*%~[](){}><=.:|,;").find(op[0]) == std::string_view::npos)
      error(fmt::format("unexpected character '{}'", printable(op)));
    balance(op[0]);
    add(Lexeme::kOperator, std::string(op));
    advance(at_ + op.size());
  }

  void balance(char c) {
    if (c == '(' || c == '[' || c == '{') {
      brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty()) error(fmt::format("unexpected '{}'", c));
      if (brackets_.back() != c)
        error(fmt::format("unexpected '{}', expected '{}'", c, brackets_.back()));
      brackets_.pop_back();
    }
  }

  const std::string source_;
  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string brackets_;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string describe(const Token& token) {
  switch (token.type) {
    case Lexeme::kData:
      return "text";
    case Lexeme::kVariableBegin:
      return "'{{'";
    case Lexeme::kVariableEnd:
      return "'}}'";
    case Lexeme::kBlockBegin:
      return "'{%'";
    case Lexeme::kBlockEnd:
      return "'%}'";
    case Lexeme::kString:
      return "a string";
    case Lexeme::kInteger:
    case Lexeme::kFloat:
      return "a number";
    case Lexeme::kEnd:
      return "the end of the template";
    default:
      return "'" + printable(token.text, 40) + "'";
  }
}

}  // namespace farthing::text::jinja
