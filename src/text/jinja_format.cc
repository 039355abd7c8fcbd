// "%" and str.format: Python's two small languages for numbers in texts.
#include <algorithm>
#include <cmath>

#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

constexpr std::int64_t kMaxWidth = 1'000'000;

// A format specification, of either language.
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  char group = 0;  // , or _
  std::int64_t width = 0;
  std::int64_t precision = -1;
  char type = 0;
};

void check_width(std::int64_t width) {
  if (width > kMaxWidth || width < -kMaxWidth)
    fail("a width or precision of {} is more than {}", width, kMaxWidth);
}

std::string c_format(double number, char type, std::int64_t precision, bool alternate) {
  const std::string pattern = std::string(alternate ? "%#.*" : "%.*") + type;
  const int digits = static_cast<int>(precision);
  std::string out(
      static_cast<std::size_t>(std::snprintf(nullptr, 0, pattern.c_str(), digits, number)) + 1,
      '\0');
  std::snprintf(out.data(), out.size(), pattern.c_str(), digits, number);
  out.pop_back();
  return out;
}

std::string digits_of(std::uint64_t magnitude, int base, bool upper) {
  std::string out;
  do {
    const auto digit = static_cast<int>(magnitude % static_cast<unsigned>(base));
    out += static_cast<char>(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
    magnitude /= static_cast<unsigned>(base);
  } while (magnitude != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string group_digits(const std::string& digits, char mark, std::size_t every) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += mark;
    out += digits[i];
  }
  return out;
}

std::string pad(Runtime& runtime, const std::string& head, const std::string& body,
                const Spec& spec, char default_align) {
  const auto size = static_cast<std::int64_t>(count_points(head) + count_points(body));
  const std::int64_t room = std::max<std::int64_t>(spec.width - size, 0);
  const char align = spec.align != 0 ? spec.align : default_align;
  TextBuilder out(runtime);
  if (align == '>') out.repeat(spec.fill, room);
  if (align == '^') out.repeat(spec.fill, room / 2);
  out += head;
  if (align == '=') out.repeat(spec.fill, room);
  out += body;
  if (align == '<') out.repeat(spec.fill, room);
  if (align == '^') out.repeat(spec.fill, room - room / 2);
  return out.take();
}

std::string sign_of(bool negative, char sign) {
  return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

// Zeros from the left are digits too where digits are grouped.
std::string zero_fill_grouped(std::string digits, const std::string& head, const Spec& spec,
                              std::size_t every) {
  if (spec.fill == "0" && spec.align == '=') {
    const auto wanted =
        std::max<std::int64_t>(spec.width - static_cast<std::int64_t>(head.size()), 0);
    std::size_t count = digits.size();
    while (count + (count - 1) / every < static_cast<std::size_t>(wanted)) ++count;
    digits.insert(0, count - digits.size(), '0');
  }
  return group_digits(digits, spec.group, every);
}

std::string format_integer(Runtime& runtime, bool negative, std::uint64_t magnitude,
                           const Spec& spec) {
  const int base = spec.type == 'x' || spec.type == 'X' ? 16
                   : spec.type == 'o'                   ? 8
                   : spec.type == 'b'                   ? 2
                                                        : 10;
  std::string digits = digits_of(magnitude, base, spec.type == 'X');
  std::string head = sign_of(negative, spec.sign);
  if (spec.alternate && base != 10) head += std::string("0") + spec.type;
  if (spec.group != 0)
    digits = zero_fill_grouped(std::move(digits), head, spec, base == 10 ? 3 : 4);
  return pad(runtime, head, digits, spec, '>');
}

std::string general_digits(double magnitude, const Spec& spec) {
  // No type at all: repr, or %g that always keeps a fraction.
  if (spec.type == 0 && spec.precision < 0) return format_real(magnitude);
  std::string digits =
      c_format(magnitude, 'g', spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  if (spec.type != 0 || digits.find_first_of(".en") != std::string::npos) return digits;
  return digits + ".0";
}

std::string format_float(Runtime& runtime, double number, const Spec& spec) {
  const bool negative = std::signbit(number) && !std::isnan(number);
  const double magnitude = std::fabs(number);
  const std::int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  std::string digits;
  if (!std::isfinite(number)) {
    digits = std::isnan(number) ? "nan" : "inf";
    if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G') digits = upper(digits);
    if (spec.type == '%') digits += '%';
  } else if (spec.type == '%') {
    digits = c_format(magnitude * 100, 'f', precision, spec.alternate) + "%";
  } else if (spec.type == 0 || spec.type == 'n') {
    digits = general_digits(magnitude, spec);
  } else {
    digits = c_format(magnitude, spec.type, precision, spec.alternate);
  }
  const std::string head = sign_of(negative, spec.sign);
  if (spec.group != 0) {
    std::size_t whole = digits.find_first_not_of("0123456789");
    if (whole == std::string::npos) whole = digits.size();
    Spec inner = spec;
    inner.width -= static_cast<std::int64_t>(digits.size() - whole);
    digits = zero_fill_grouped(digits.substr(0, whole), head, inner, 3) + digits.substr(whole);
  }
  return pad(runtime, head, digits, spec, '>');
}

std::string cut(const std::string& text, std::int64_t points) {
  return points < 0 ? text : text.substr(0, byte_of_point(text, static_cast<std::size_t>(points)));
}

std::string format_string(Runtime& runtime, const std::string& text, const Spec& spec) {
  if (spec.sign != '-' || spec.alternate || spec.align == '=' || spec.group != 0)
    fail("a text cannot be formatted with a sign, '#', '=' or ','");
  if (spec.type != 0 && spec.type != 's') fail("unknown format code '{}' for a text", spec.type);
  return pad(runtime, "", cut(text, spec.precision), spec, '<');
}

std::int64_t read_number(std::string_view text, std::size_t& at) {
  std::int64_t number = -1;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    number = std::max<std::int64_t>(number, 0) * 10 + (text[at++] - '0');
    check_width(number);
  }
  return number;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

// [[fill]align][sign][#][0][width][,][.precision][type]
Spec read_spec(std::string_view text) {
  Spec spec;
  std::size_t at = 0;
  const std::size_t lead = text.empty() ? 0 : point_bytes(text[0]);
  if (text.size() > lead && lead > 0 && is_align(text[lead])) {
    spec.fill = text.substr(0, lead);
    spec.align = text[lead];
    at = lead + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  const auto skip = [&](char c) { return at < text.size() && text[at] == c && ++at; };
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' '))
    spec.sign = text[at++];
  spec.alternate = skip('#');
  if (skip('0')) {
    spec.zero = true;
    if (spec.align == 0) spec.fill = "0", spec.align = '=';
  }
  spec.width = std::max<std::int64_t>(read_number(text, at), 0);
  if (at < text.size() && (text[at] == ',' || text[at] == '_')) spec.group = text[at++];
  if (skip('.')) {
    spec.precision = read_number(text, at);
    if (spec.precision < 0) fail("format specifier missing precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) fail("invalid format specifier '{}'", std::string(text));
  return spec;
}

std::string format_number(Runtime& runtime, const Value& value, const Spec& spec) {
  static constexpr std::string_view kReal = "eEfFgG%";
  static constexpr std::string_view kInteger = "bdoxXn";
  const bool integer = !value.is(Kind::kFloat);
  if (kReal.find(spec.type) != std::string_view::npos ||
      (!integer && (spec.type == 0 || spec.type == 'n')))
    return format_float(runtime, to_real(value, "a format"), spec);
  if (!integer ||
      (spec.type != 0 && spec.type != 'c' && kInteger.find(spec.type) == std::string_view::npos))
    fail("unknown format code '{}' for a {}", spec.type, type_name(value));
  if (spec.precision >= 0) fail("precision not allowed in integer format specifier");
  if (value.is(Kind::kHuge)) return format_integer(runtime, false, value.huge(), spec);
  const std::int64_t number = value.integer();
  if (spec.type == 'c') {
    if (number < 0 || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000))
      fail("%c needs a character's number");
    std::string character;
    append_point(character, static_cast<char32_t>(number));
    return pad(runtime, "", character, spec, '<');
  }
  const auto magnitude = static_cast<std::uint64_t>(number);
  return format_integer(runtime, number < 0, number < 0 ? 0 - magnitude : magnitude, spec);
}

}  // namespace

std::string format_value(Runtime& runtime, const Value& value, std::string_view text) {
  if (text.empty()) return to_text(runtime, value);
  const Spec spec = read_spec(text);
  if (value.is_string()) {
    Spec plain = spec;
    if (spec.zero && spec.align == '=') plain.align = '<';
    return format_string(runtime, value.text(), plain);
  }
  if (value.is(Kind::kBool) && spec.type == 0)
    return format_number(runtime, Value::integer(value.integer()), spec);
  if (value.is_number()) return format_number(runtime, value, spec);
  fail("unsupported format string passed to {}.__format__", type_name(value));
}

namespace {

// "pattern % values".
class Percent {
 public:
  Percent(Runtime& runtime, const Value& pattern, const Value& values)
      : runtime_(runtime),
        text_(pattern.text()),
        markup_(pattern.markup()),
        values_(values),
        out_(runtime) {
    // A text may leave out what Python takes for a mapping: anything that can be subscribed.
    used_ = values.is(Kind::kDict) || values.is(Kind::kList) || values.is(Kind::kRange) ||
            values.undefined();
  }

  std::string run() {
    while (at_ < text_.size()) {
      const std::size_t mark = text_.find('%', at_);
      out_ += text_.substr(at_, mark - at_);
      if (mark == std::string_view::npos) break;
      at_ = mark + 1;
      convert();
    }
    const bool all = values_.is(Kind::kTuple) ? next_ == values_.items().size() : used_;
    if (!all) fail("not all arguments converted during string formatting");
    return out_.take();
  }

 private:
  char read() {
    if (at_ >= text_.size()) fail("incomplete format");
    return text_[at_++];
  }

  Value take() {
    if (values_.is(Kind::kTuple)) {
      if (next_ >= values_.items().size()) fail("not enough arguments for format string");
      return values_.items()[next_++];
    }
    if (taken_) fail("not enough arguments for format string");
    used_ = taken_ = true;
    return values_;
  }

  Value keyed() {
    int depth = 1;
    const std::size_t start = at_;
    while (depth > 0) {
      const char c = read();
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    if (!values_.is(Kind::kDict)) fail("format requires a mapping");
    const std::string_view key = text_.substr(start, at_ - 1 - start);
    const Value* value = values_.as<Dict>().find(key);
    if (value == nullptr)
      fail("the format names the key '{}', which is not there", std::string(key));
    used_ = true;
    return *value;
  }

  std::int64_t star_or_number() {
    if (at_ < text_.size() && text_[at_] == '*') {
      ++at_;
      const Value value = take();
      if (!value.is_integer()) fail("* wants int");
      check_width(value.integer());
      return value.integer();
    }
    return read_number(text_, at_);
  }

  void convert() {
    Spec spec;
    Value value;
    if (at_ < text_.size() && text_[at_] == '(') {
      ++at_;
      value = keyed();
    }
    bool left = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '-')
        left = true;
      else if (c == '0')
        spec.zero = true;
      else if (c == '#')
        spec.alternate = true;
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else
        break;
    }
    std::int64_t width = star_or_number();
    if (width < -1) left = true, width = -width;
    spec.width = std::max<std::int64_t>(width, 0);
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      spec.precision = std::max<std::int64_t>(star_or_number(), 0);
    }
    while (at_ < text_.size() && (text_[at_] == 'h' || text_[at_] == 'l' || text_[at_] == 'L'))
      ++at_;
    spec.type = read();
    if (spec.type == '%') {
      out_ += '%';
      return;
    }
    if (value.missing()) value = take();
    spec.align = left ? '<' : 0;
    print(value, spec, left);
  }

  void print(const Value& value, Spec spec, bool left) {
    const char type = spec.type;
    if (type == 's' || type == 'r' || type == 'a') {
      std::string text = type == 's' ? to_text(runtime_, value) : to_repr(runtime_, value);
      if (type == 'a') text = value.is_string() ? quote_ascii(value.text()) : text;
      if (markup_ && !(value.is_string() && value.markup() && type == 's'))
        text = escape_html(text);
      out_ += pad(runtime_, "", cut(text, spec.precision), spec, '>');
    } else if (type == 'c') {
      character(value, spec);
    } else if (std::string_view("diuxXo").find(type) != std::string_view::npos) {
      integer(value, spec, left);
    } else if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
      if (spec.zero && !left) spec.fill = "0", spec.align = '=';
      if (value.undefined()) fail_undefined(value);
      out_ += format_float(runtime_, to_real(value, "%" + std::string(1, type)), spec);
    } else {
      fail("unsupported format character '{}'", type);
    }
  }

  void character(const Value& value, Spec spec) {
    if (value.is_string()) {
      if (value.rep().length != 1) fail("%c requires int or char");
      out_ += pad(runtime_, "", value.text(), spec, '>');
      return;
    }
    if (!value.is_integer()) fail("%c requires int or char");
    if (spec.align == 0) spec.align = '>';
    out_ += format_number(runtime_, Value::integer(value.integer()), spec);
  }

  void integer(const Value& value, Spec spec, bool left) {
    if (value.undefined()) fail_undefined(value);
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    Value number = value;
    if (value.is(Kind::kFloat) && decimal) number = integer_of(value.real());
    if (!number.is_integer() && !number.is(Kind::kHuge))
      fail("%{} format: a number is required, not {}", spec.type, type_name(value));
    if (number.is(Kind::kBool)) number = Value::integer(number.integer());
    // A precision is a least number of digits.
    const std::int64_t digits = std::exchange(spec.precision, -1);
    if (decimal) spec.type = 'd';
    if (spec.zero && !left) spec.fill = "0", spec.align = '=';
    if (digits >= 0) {
      Spec inner = spec;
      inner.fill = "0";
      inner.align = '=';
      const bool negative = number.is_integer() && number.integer() < 0;
      inner.width = digits + (negative || spec.sign != '-') + (spec.alternate && !decimal ? 2 : 0);
      const std::string text = format_number(runtime_, number, inner);
      out_ += pad(runtime_, "", text, spec, '>');
      return;
    }
    out_ += format_number(runtime_, number, spec);
  }

  Runtime& runtime_;
  std::string_view text_;
  bool markup_;
  Value values_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  bool used_ = false;  // a single value, or a mapping, was asked for
  bool taken_ = false;
  TextBuilder out_;
};

// "pattern".format(...).
class Braces {
 public:
  Braces(Runtime& runtime, bool markup, Arguments& arguments)
      : runtime_(runtime), markup_(markup), arguments_(arguments) {}

  std::string run(std::string_view text, int depth) {
    if (depth > 2) fail("max string recursion exceeded");
    TextBuilder out(runtime_);
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (c != '{' && c != '}') {
        out += c;
        ++at;
      } else if (at + 1 < text.size() && text[at + 1] == c) {
        out += c;
        at += 2;
      } else if (c == '}') {
        fail("single '}}' encountered in format string");
      } else {
        ++at;
        out += field(text, at, depth);
      }
    }
    return out.take();
  }

 private:
  // Behind "{": name, "!conversion", ":spec" up to the "}" that closes it.
  std::string field(std::string_view text, std::size_t& at, int depth) {
    const std::size_t start = at;
    int open = 1;
    bool bracket = false;
    while (at < text.size() && open > 0) {
      const char c = text[at++];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket) open += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
    if (open > 0) fail("expected '}}' before end of string");
    const std::string_view whole = text.substr(start, at - 1 - start);
    std::size_t end = 0;
    for (bracket = false; end < whole.size(); ++end) {
      if (whole[end] == '[') bracket = true;
      if (whole[end] == ']') bracket = false;
      if (!bracket && (whole[end] == '!' || whole[end] == ':')) break;
    }
    Value value = lookup(whole.substr(0, end));
    std::string_view rest = whole.substr(end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        fail("expected ':' after conversion specifier");
      value = converted(value, rest[1]);
      rest.remove_prefix(2);
    }
    const std::string spec = rest.empty() ? "" : run(rest.substr(1), depth + 1);
    if (!markup_) return format_value(runtime_, value, spec);
    if (value.is_string() && value.markup()) {
      if (!spec.empty()) fail("unsupported format specification for Markup");
      return value.text();
    }
    return escape_html(format_value(runtime_, value, spec));
  }

  Value converted(const Value& value, char how) {
    if (how == 's') return runtime_.string(to_text(runtime_, value));
    if (how == 'r') return runtime_.string(to_repr(runtime_, value));
    if (how == 'a')
      return runtime_.string(value.is_string() ? quote_ascii(value.text())
                                               : to_repr(runtime_, value));
    fail("unknown conversion specifier '{}'", how);
  }

  Value first_value(std::string_view name) {
    const bool digits =
        !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (name.empty() || digits) {
      if (name.empty() ? manual_ : automatic_)
        fail("cannot switch between manual field specification and automatic field numbering");
      (name.empty() ? automatic_ : manual_) = true;
      std::size_t at = 0;
      const auto index = static_cast<std::size_t>(name.empty() ? next_++ : read_number(name, at));
      if (index >= arguments_.positional.size())
        fail("replacement index {} out of range for positional args tuple", index);
      return arguments_.positional[index];
    }
    spend(static_cast<std::int64_t>(arguments_.named.size()));
    for (const auto& [key, value] : arguments_.named)
      if (key.text() == name) return value;
    fail("the format names '{}', which is not given", std::string(name));
  }

  // name, then .attribute and [key] in turn
  Value lookup(std::string_view path) {
    std::size_t at = std::min(path.find_first_of(".["), path.size());
    Value value = first_value(path.substr(0, at));
    while (at < path.size()) {
      const bool attribute = path[at] == '.';
      const std::size_t start = at + 1;
      at = std::min(attribute ? path.find_first_of(".[", start) : path.find(']', start),
                    path.size());
      const std::string_view part = path.substr(start, at - start);
      if (part.empty()) fail("empty attribute in format string");
      if (!attribute && at == path.size()) fail("missing ']' in format string");
      if (!attribute) ++at;
      const bool digits = part.find_first_not_of("0123456789") == std::string_view::npos;
      std::size_t from = 0;
      const Value key = !attribute && digits ? Value::integer(read_number(part, from))
                                             : runtime_.string(std::string(part));
      value = attribute ? get_attribute(runtime_, value, key) : get_item(runtime_, value, key);
    }
    return value;
  }

  Runtime& runtime_;
  bool markup_;
  Arguments& arguments_;
  bool automatic_ = false, manual_ = false;
  std::int64_t next_ = 0;
};

}  // namespace

Value format_percent(Runtime& runtime, const Value& pattern, const Value& values) {
  return runtime.string(Percent(runtime, pattern, values).run(), pattern.markup());
}

Value format_braces(Runtime& runtime, const Value& pattern, Arguments& arguments) {
  return runtime.string(Braces(runtime, pattern.markup(), arguments).run(pattern.text(), 0),
                        pattern.markup());
}

}  // namespace farthing::text::jinja
