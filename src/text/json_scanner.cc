#include "text/json_scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {

void JsonScanner::fail(std::string_view problem) const {
  const std::string_view before = text_.substr(0, at_);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  bad_input("{}: not valid JSON at line {}, column {}: {}", where_, line, at_ - line_start + 1,
            problem);
}

char JsonScanner::peek() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonScanner::accept(char c) {
  if (peek() != c || at_ >= text_.size()) return false;
  ++at_;
  return true;
}

void JsonScanner::expect(char c) {
  if (!accept(c)) fail(fmt::format("expected '{}'", c));
}

bool JsonScanner::more(char close) {
  if (accept(close)) return false;
  if (!accept(',')) fail(fmt::format("expected ',' or '{}'", close));
  return true;
}

void JsonScanner::expect_end() {
  if (peek() != '\0' || at_ < text_.size()) fail("expected the end of the text");
}

std::uint32_t JsonScanner::hex4() {
  std::uint32_t value = 0;
  if (text_.size() - at_ < 4) fail("\\u needs four hexadecimal digits");
  const char* end = text_.data() + at_ + 4;
  if (std::from_chars(text_.data() + at_, end, value, 16).ptr != end)
    fail("\\u needs four hexadecimal digits");
  at_ += 4;
  return value;
}

void JsonScanner::escape() {  // behind the backslash
  static constexpr std::string_view kNames = "\"\\/bfnrt", kMeans = "\"\\/\b\f\n\r\t";
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  if (c != 'u') {
    const std::size_t found = kNames.find(c);
    if (c == '\0' || found == std::string_view::npos) fail("an unknown escape");
    unescaped_ += kMeans[found];
    return;
  }
  char32_t code = hex4();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const char32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
    code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
  } else if (code >= 0xD800 && code <= 0xDFFF) {
    fail("half of a surrogate pair");
  }
  append_utf8(unescaped_, code);
}

std::string_view JsonScanner::string() {
  if (!accept('"')) fail("expected a string");
  const std::size_t start = at_;
  std::size_t plain = at_;  // what is in unescaped_ ends here
  bool escaped = false, ascii = true;
  unescaped_.clear();
  while (true) {
    if (at_ >= text_.size()) fail("a string does not end");
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') break;
    if (c < 0x20) fail("a control character in a string");
    ascii &= c < 0x80;
    if (c != '\\') {
      ++at_;
      continue;
    }
    unescaped_.append(text_, plain, at_ - plain);
    ++at_;
    escape();
    escaped = true;
    plain = at_;
  }
  const std::string_view raw = text_.substr(start, at_ - start);
  if (!ascii && !is_utf8(raw)) fail("a string that is not UTF-8");
  if (escaped) unescaped_.append(text_, plain, at_ - plain);
  ++at_;
  return escaped ? std::string_view(unescaped_) : raw;
}

std::int64_t JsonScanner::integer() {
  const char first = peek();
  std::int64_t value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  const bool ends =
      end == text_.data() + text_.size() || (*end != '.' && *end != 'e' && *end != 'E');
  const char second = end - begin > 1 ? begin[1] : '\0';
  if (error != std::errc() || !ends || (first == '0' && second >= '0' && second <= '9'))
    fail("expected an integer");
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

double JsonScanner::number() {
  const char first = peek();
  double value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc() || !(first == '-' || (first >= '0' && first <= '9')) ||
      !std::isfinite(value))
    fail("expected a finite number");
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

std::string_view JsonScanner::skip(int depth) {
  if (depth == 0) fail("nested deeper than 64 levels, which is the limit");
  const char first = peek();
  const std::size_t start = at_;
  if (first == '{' || first == '[') {
    const char close = first == '{' ? '}' : ']';
    ++at_;
    if (!accept(close)) {
      do {
        if (first == '{') {
          string();
          expect(':');
        }
        skip(depth - 1);
      } while (more(close));
    }
  } else if (first == '"') {
    string();
  } else if (first == '-' || (first >= '0' && first <= '9')) {
    while (at_ < text_.size() &&
           std::string_view("+-.eE0123456789").find(text_[at_]) != std::string_view::npos)
      ++at_;
  } else {
    for (const std::string_view word : {"true", "false", "null"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word;
      }
    fail("expected a value");
  }
  return text_.substr(start, at_ - start);
}

}  // namespace farthing::text
