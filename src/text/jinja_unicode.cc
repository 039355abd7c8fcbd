#include "text/jinja_unicode.h"

#include <fmt/core.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "text/jinja_case_table.h"
#include "text/jinja_value.h"

namespace farthing::text::jinja {
namespace {

utf8proc_category_t category(char32_t point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(point));
}

const SpecialCase* special_case(char32_t point) {
  std::size_t low = 0;
  std::size_t high = std::size(kSpecialCases);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (kSpecialCases[middle].point < point)
      low = middle + 1;
    else
      high = middle;
  }
  return low < std::size(kSpecialCases) && kSpecialCases[low].point == point ? &kSpecialCases[low]
                                                                             : nullptr;
}

void append_upper(std::string& out, char32_t point) {
  if (const SpecialCase* special = special_case(point))
    out += special->upper;
  else
    append_point(out,
                 static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point))));
}

void append_title(std::string& out, char32_t point) {
  if (const SpecialCase* special = special_case(point))
    out += special->title;
  else
    append_point(out,
                 static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(point))));
}

// Marks and modifiers that a look for the cased neighbour of a sigma passes over.
bool is_case_ignorable(char32_t point) {
  switch (category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return point == '\'' || point == '.' || point == ':' || point == 0xB7 || point == 0x2019 ||
             point == 0x2018 || point == 0x2024 || point == 0x2027;
  }
}

bool is_final_sigma(const std::u32string& points, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(points[before - 1])) --before;
  if (before == 0 || !is_cased(points[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < points.size() && is_case_ignorable(points[after])) ++after;
  return after == points.size() || !is_cased(points[after]);
}

void append_lower(std::string& out, const std::u32string& points, std::size_t at) {
  const char32_t point = points[at];
  if (point == 0x3A3)
    append_point(out, is_final_sigma(points, at) ? 0x3C2 : 0x3C3);
  else if (point == 0x130)
    out += "i\u0307";
  else
    append_point(out,
                 static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point))));
}

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

}  // namespace

std::size_t count_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += !continues(c);
  return count;
}

std::size_t byte_of_point(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  while (index > 0 && at < text.size()) {
    at += point_bytes(text[at]);
    --index;
  }
  return at;
}

char32_t decode_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t bytes = point_bytes(text[at]);
  char32_t point = bytes == 1 ? lead : lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes && at + i < text.size(); ++i)
    point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
  at = std::min(at + bytes, text.size());
  return point;
}

void append_point(std::string& out, char32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      out += static_cast<char>(0xE0 | point >> 12);
    } else {
      out += static_cast<char>(0xF0 | point >> 18);
      out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
  }
  out += static_cast<char>(0x80 | (point & 0x3F));
}

std::u32string decode(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) points += decode_point(text, at);
  return points;
}

std::string encode(std::u32string_view points) {
  std::string text;
  text.reserve(points.size());
  for (const char32_t point : points) append_point(text, point);
  return text;
}

bool is_space(char32_t p) {
  if (p < 0x80) return p == ' ' || (p >= 9 && p <= 13) || (p >= 0x1C && p <= 0x1F);
  return p == 0x85 || p == 0xA0 || p == 0x1680 || (p >= 0x2000 && p <= 0x200A) || p == 0x2028 ||
         p == 0x2029 || p == 0x202F || p == 0x205F || p == 0x3000;
}

bool is_line_break(char32_t p) {
  return (p >= 10 && p <= 13) || (p >= 0x1C && p <= 0x1E) || p == 0x85 || p == 0x2028 ||
         p == 0x2029;
}

bool is_printable(char32_t point) {
  if (point < 0x7F) return point >= ' ';
  switch (category(point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t point) {
  const utf8proc_category_t c = category(point);
  return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t point) { return category(point) == UTF8PROC_CATEGORY_ND; }
bool is_digit(char32_t p) {
  return is_decimal(p) || p == 0xB2 || p == 0xB3 || p == 0xB9 || p == 0x2070 ||
         (p >= 0x2074 && p <= 0x2079) || (p >= 0x2080 && p <= 0x2089) ||
         (p >= 0x2460 && p <= 0x2468) || (p >= 0x2474 && p <= 0x247C) ||
         (p >= 0x2488 && p <= 0x2490);
}
bool is_numeric(char32_t point) {
  const utf8proc_category_t c = category(point);
  return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}
bool is_word(char32_t point) { return point == '_' || is_alpha(point) || is_numeric(point); }

bool is_upper(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LU || (point >= 0x2160 && point <= 0x216F) ||
         (point >= 0x24B6 && point <= 0x24CF);
}
bool is_lower(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LL || point == 0xAA || point == 0xBA ||
         (point >= 0x2170 && point <= 0x217F) || (point >= 0x24D0 && point <= 0x24E9) ||
         (point >= 0x2B0 && point <= 0x2B8) || (point >= 0x2C0 && point <= 0x2C1) ||
         (point >= 0x2E0 && point <= 0x2E4) || (point >= 0x1D2C && point <= 0x1D6A);
}
bool is_title(char32_t point) { return category(point) == UTF8PROC_CATEGORY_LT; }

bool is_upper_text(std::string_view text) {
  bool any = false;
  spend_bytes(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = decode_point(text, at);
    if (is_lower(point) || is_title(point)) return false;
    any |= is_upper(point);
  }
  return any;
}

bool is_lower_text(std::string_view text) {
  bool any = false;
  spend_bytes(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = decode_point(text, at);
    if (is_upper(point) || is_title(point)) return false;
    any |= is_lower(point);
  }
  return any;
}

std::string upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<signed char>(text[at]) >= 0) {
      const char c = text[at++];
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    } else {
      append_upper(out, decode_point(text, at));
    }
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out;
  if (is_ascii(text)) {
    out = text;
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
  }
  const std::u32string points = decode(text);
  for (std::size_t i = 0; i < points.size(); ++i) append_lower(out, points, i);
  return out;
}

std::string casefold(std::string_view text) {
  if (is_ascii(text)) return lower(text);
  utf8proc_uint8_t* folded = nullptr;
  const utf8proc_ssize_t bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &folded, UTF8PROC_CASEFOLD);
  if (bytes < 0) return std::string(text);
  std::string out(reinterpret_cast<const char*>(folded), static_cast<std::size_t>(bytes));
  std::free(folded);
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  const std::u32string points = decode(text);
  for (std::size_t i = 0; i < points.size(); ++i)
    i == 0 ? append_title(out, points[i]) : append_lower(out, points, i);
  return out;
}

std::string title(std::string_view text) {
  std::string out;
  const std::u32string points = decode(text);
  bool inside = false;
  for (std::size_t i = 0; i < points.size(); ++i) {
    inside ? append_lower(out, points, i) : append_title(out, points[i]);
    inside = is_cased(points[i]);
  }
  return out;
}

std::string swapcase(std::string_view text) {
  std::string out;
  const std::u32string points = decode(text);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (is_upper(points[i]))
      append_lower(out, points, i);
    else if (is_lower(points[i]))
      append_upper(out, points[i]);
    else
      append_point(out, points[i]);
  }
  return out;
}

std::string_view strip(std::string_view text, bool left, bool right, const std::string_view* set) {
  std::u32string wanted = set != nullptr ? decode(*set) : std::u32string();
  std::sort(wanted.begin(), wanted.end());
  const auto drops = [&](char32_t point) {
    return set != nullptr ? std::binary_search(wanted.begin(), wanted.end(), point)
                          : is_space(point);
  };
  while (left && !text.empty()) {
    std::size_t at = 0;
    if (!drops(decode_point(text, at))) break;
    text.remove_prefix(at);
  }
  while (right && !text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && continues(text[start])) --start;
    std::size_t at = start;
    if (!drops(decode_point(text, at))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at;
    const char32_t point = decode_point(text, at);
    if (!is_line_break(point)) continue;
    if (point == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from) {
  if (from > text.size() || wanted.size() > text.size() - from) return std::string_view::npos;
  if (wanted.empty()) return from;
  spend_bytes(text.size() - from);
  const void* at = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return at == nullptr ? std::string_view::npos
                       : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

std::size_t rfind_text(std::string_view text, std::string_view wanted) {
  if (wanted.size() < 32) {
    spend_bytes(text.size());
    return text.rfind(wanted);
  }
  const std::string mirrored(text.rbegin(), text.rend());
  const std::size_t at = find_text(mirrored, std::string(wanted.rbegin(), wanted.rend()));
  return at == std::string_view::npos ? at : text.size() - at - wanted.size();
}

namespace {
std::string quote_with(std::string_view text, bool ascii_only) {
  const bool single = text.find('\'') != std::string_view::npos;
  const char mark = single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, mark);
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = decode_point(text, at);
    if (point == static_cast<char32_t>(mark) || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\r') {
      out += "\\r";
    } else if (point == '\t') {
      out += "\\t";
    } else if (ascii_only ? point >= ' ' && point < 0x7F : is_printable(point)) {
      append_point(out, point);
    } else if (point < 0x100) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(point));
    } else if (point < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(point));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<unsigned>(point));
    }
  }
  out += mark;
  return out;
}
}  // namespace

std::string quote(std::string_view text) { return quote_with(text, false); }
std::string quote_ascii(std::string_view text) { return quote_with(text, true); }

std::string format_real(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = text.find('e');
  const int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  std::string out = number < 0 || (number == 0 && std::signbit(number)) ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02d}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  return out + digits.substr(0, static_cast<std::size_t>(exponent) + 1) + "." +
         digits.substr(static_cast<std::size_t>(exponent) + 1);
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace farthing::text::jinja
