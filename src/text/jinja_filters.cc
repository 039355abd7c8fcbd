// Filters over numbers and single values, and the look-up of all.
#include "text/jinja_filters.h"

#include <charconv>
#include <cmath>

#include "text/jinja_methods.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {

namespace {

// The digits of a Python number without white space around and underscores between them.
std::optional<std::string> plain_digits(std::string_view text) {
  text = strip(text, true, true);
  spend_bytes(text.size());
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto alnum = [&](std::size_t at) {
      return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '_') {
      if (i == 0 || !alnum(i - 1) || !alnum(i + 1)) return std::nullopt;
    } else {
      out += text[i];
    }
  }
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<double> parse_real(std::string_view text) {
  const auto digits = plain_digits(text);
  if (!digits) return std::nullopt;
  std::string_view rest = *digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::string word = lower(rest);
  double number = 0;
  if (word == "inf" || word == "infinity") {
    number = HUGE_VAL;
  } else if (word == "nan") {
    number = std::nan("");
  } else {
    if (rest.find_first_not_of("0123456789.eE+-") != std::string_view::npos || rest.empty() ||
        rest[0] == '+' || rest[0] == '-')
      return std::nullopt;
    const std::string copy(rest);
    char* end = nullptr;
    number = std::strtod(copy.c_str(), &end);
    if (*end != '\0' || end == copy.c_str()) return std::nullopt;
  }
  return negative ? -number : number;
}

std::optional<Value> parse_integer(std::string_view text, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const auto plain = plain_digits(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const char mark =
      digits.size() > 2 && digits[0] == '0' ? static_cast<char>(digits[1] | 0x20) : ' ';
  const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (marked != 0 && (base == marked || base == 0)) {
    base = marked;
    digits.remove_prefix(2);
  } else if (base == 0) {
    if (digits.size() > 1 && digits[0] == '0' &&
        digits.find_first_not_of('0') != std::string_view::npos)
      return std::nullopt;
    base = 10;
  }
  if (digits.empty()) return std::nullopt;
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude,
                                            static_cast<int>(base));
  if (end != digits.data() + digits.size()) return std::nullopt;
  const std::uint64_t most = (1ull << 63) - 1 + negative;
  if (error != std::errc() || magnitude > most)
    fail("the integer {} does not fit 64 bits", std::string(strip(text, true, true)).substr(0, 40));
  return Value::integer(static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
}

Value integer_of(double number) {
  if (std::isnan(number)) fail("cannot convert float NaN to integer");
  if (std::isinf(number)) fail("cannot convert float infinity to integer");
  if (std::fabs(number) >= 9.2233720368547758e18)
    fail("the number does not fit an integer of 64 bits");
  return Value::integer(static_cast<std::int64_t>(number));
}

Value fold_case(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is_string()) return value;
  return runtime.string(lower(value.text()));
}

AttributePath::AttributePath(Runtime& runtime, const Value& path, const Value& otherwise)
    : otherwise_(otherwise) {
  if (path.missing() || path.is_none()) return;
  if (!path.is_string()) {
    parts_.push_back(path);
    return;
  }
  const std::string_view dot = ".";
  for (const std::string_view part : split_text(path.text(), &dot, -1, false)) {
    const bool digits =
        !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    const auto number = digits ? parse_integer(part, 10) : std::nullopt;
    parts_.push_back(number ? *number : runtime.string(std::string(part)));
  }
}

Value AttributePath::of(Runtime& runtime, const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = get_item(runtime, value, part);
    if (value.undefined() && !otherwise_.missing() && !otherwise_.is_none()) value = otherwise_;
  }
  return value;
}

namespace {

using In = const Value&;

Value default_value(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  if (value.undefined() || (bound.flag(1) && !truth(value)))
    return bound.has(0) ? bound[0] : runtime.string("");
  return value;
}

Value to_json_filter(Runtime& runtime, In value, Arguments& arguments) {
  return runtime.string(to_json(runtime, value, arguments));
}

Value length_filter(Runtime&, In value, Arguments& arguments) {
  const Bound bound("length", arguments, {});
  return Value::integer(value.is(Kind::kLoop) ? 1 : length(value));
}

Value int_filter(Runtime&, In value, Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value otherwise = bound.get(0, Value::integer(0));
  if (value.undefined()) fail_undefined(value);
  if (value.is_integer()) return Value::integer(value.integer());
  if (value.is(Kind::kHuge)) return value;
  double number = 0;
  if (value.is_string()) {
    if (const auto exact = parse_integer(value.text(), bound.integer(1, 10))) return *exact;
    const auto real = parse_real(value.text());
    if (!real || !std::isfinite(*real)) return otherwise;
    number = *real;
  } else if (value.is(Kind::kFloat)) {
    number = value.real();
    if (std::isinf(number)) fail("cannot convert float infinity to integer");
    if (std::isnan(number)) return otherwise;
  } else {
    return otherwise;
  }
  return integer_of(number);
}

Value float_filter(Runtime&, In value, Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  const Value otherwise = bound.get(0, Value::real(0));
  if (value.undefined()) fail_undefined(value);
  if (value.is_number()) return Value::real(to_real(value, "float"));
  const auto number = value.is_string() ? parse_real(value.text()) : std::nullopt;
  return number ? Value::real(*number) : otherwise;
}

Value abs_filter(Runtime&, In value, Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  if (value.is(Kind::kFloat)) return Value::real(std::fabs(value.real()));
  if (value.is(Kind::kHuge)) return value;
  if (value.undefined()) fail_undefined(value);
  if (!value.is_integer()) fail("bad operand type for abs(): '{}'", type_name(value));
  return value.integer() < 0 ? negate(value, true) : Value::integer(value.integer());
}

// To the nearest, ties to even in what the digits really are, as Python rounds.
double round_decimal(double number, std::int64_t digits) {
  if (!std::isfinite(number) || digits > 300) return number;
  if (digits < -310) return std::copysign(0.0, number);
  if (digits >= 0) {
    const std::string text = fmt::format("{:.{}f}", number, digits);
    return std::strtod(text.c_str(), nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(number / scale) * scale;
}

std::int64_t round_integer(std::int64_t number, std::int64_t digits) {
  if (digits >= 0) return number;
  if (digits < -19) return 0;
  __extension__ using Wide = __int128;
  Wide scale = 1;
  for (std::int64_t i = digits; i < 0; ++i) scale *= 10;
  const Wide rest = ((number % scale) + scale) % scale;
  Wide down = number - rest;
  if (rest * 2 > scale || (rest * 2 == scale && (down / scale) % 2 != 0)) down += scale;
  const auto rounded = static_cast<std::int64_t>(down);
  if (rounded != down) fail("the rounded number does not fit an integer of 64 bits");
  return rounded;
}

Value round_filter(Runtime&, In value, Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::string method = bound.has(1) ? bound.text(1) : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    fail("the method of round must be common, ceil or floor");
  if (value.undefined()) fail_undefined(value);
  if (!value.is_number()) fail("a {} cannot be rounded", type_name(value));
  const bool whole = bound.has(0) && bound[0].is_none();  // round(x, None) is an integer
  const std::int64_t digits = whole ? 0 : bound.integer(0, 0);
  if (method == "common") {
    if (value.is(Kind::kHuge)) return value;
    if (value.is_integer()) return Value::integer(round_integer(value.integer(), digits));
    const double rounded = round_decimal(value.real(), digits);
    return whole ? integer_of(rounded) : Value::real(rounded);
  }
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = to_real(value, "round") * scale;
  if (!std::isfinite(scaled)) fail("cannot convert float infinity to integer");
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value attr_filter(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  if (!bound[0].is_string()) fail("attribute name must be string, not '{}'", type_name(bound[0]));
  if (!has_attribute(runtime, value, bound[0]))
    return Value::undefined(Absence::kAttribute, bound[0].with_markup(false), value.kind());
  return get_attribute(runtime, value, bound[0]);
}

Value size_format(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("filesizeformat", arguments, {"binary"});
  static constexpr std::string_view kUnits = "kMGTPEZY";
  const bool binary = bound.flag(0);
  std::optional<double> number;
  if (value.is_string())
    number = parse_real(value.text());
  else
    number = to_real(value, "filesizeformat");
  if (!number) fail("could not convert string to float");
  const double base = binary ? 1024 : 1000;
  if (*number == 1) return runtime.string("1 Byte");
  if (*number < base) return runtime.string(fmt::format("{} Bytes", integer_of(*number).integer()));
  double unit = base;
  std::size_t i = 0;
  for (; i < kUnits.size(); ++i) {
    unit *= base;
    if (*number < unit) break;
  }
  i = std::min(i, kUnits.size() - 1);
  const char letter = binary && i == 0 ? 'K' : kUnits[i];
  return runtime.string(
      fmt::format("{:.1f} {}{}B", base * *number / unit, letter, binary ? "i" : ""));
}

template <int which>
Value refused(Runtime&, In, Arguments&) {
  static constexpr std::string_view kNames[] = {"random", "pprint", "urlize", "wordwrap"};
  refuse("the filter '{}' is not supported", kNames[which]);
}

constexpr FilterRow kFilters[] = {{"tojson", to_json_filter},
                                  {"default", default_value},
                                  {"d", default_value},
                                  {"length", length_filter},
                                  {"count", length_filter},
                                  {"int", int_filter},
                                  {"float", float_filter},
                                  {"abs", abs_filter},
                                  {"round", round_filter},
                                  {"attr", attr_filter},
                                  {"filesizeformat", size_format},
                                  {"random", refused<0>},
                                  {"pprint", refused<1>},
                                  {"urlize", refused<2>},
                                  {"wordwrap", refused<3>}};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  for (const auto table :
       {std::span<const FilterRow>(kFilters), text_filters(), sequence_filters()})
    for (const FilterRow& row : table)
      if (row.name == name) return row.function;
  return nullptr;
}

}  // namespace farthing::text::jinja
