// The methods of str, and of Markup where it differs.
#include <algorithm>

#include "text/jinja_methods.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {

namespace {

// Pieces between white space. With a limit the last one keeps what is left.
std::vector<std::string_view> split_space(std::string_view text, std::int64_t limit, bool right) {
  std::vector<std::string_view> parts;
  text = strip(text, !right, right);
  while (!text.empty()) {
    if (limit == 0) {
      parts.push_back(strip(text, !right, right));
      break;
    }
    --limit;
    std::size_t cut = 0;
    if (right) {
      for (cut = text.size(); cut > 0;) {
        std::size_t start = cut - 1;
        while (start > 0 && continues(text[start])) --start;
        std::size_t at = start;
        if (is_space(decode_point(text, at))) break;
        cut = start;
      }
      parts.push_back(text.substr(cut));
      text = strip(text.substr(0, cut), false, true);
    } else {
      for (std::size_t at = 0; at < text.size();) {
        if (is_space(decode_point(text, at))) break;
        cut = at;
      }
      parts.push_back(text.substr(0, cut));
      text = strip(text.substr(cut), true, false);
    }
  }
  if (right) std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

std::vector<std::string_view> split_text(std::string_view text, const std::string_view* separator,
                                         std::int64_t limit, bool right) {
  spend_bytes(text.size());
  limit = std::max<std::int64_t>(limit, -1);  // it is counted down, and below 0 means none
  if (separator == nullptr) return split_space(text, limit, right);
  if (separator->empty()) fail("empty separator");
  std::vector<std::string_view> parts;
  while (limit-- != 0) {
    const std::size_t at = right ? rfind_text(text, *separator) : find_text(text, *separator);
    if (at == std::string_view::npos) break;
    parts.push_back(right ? text.substr(at + separator->size()) : text.substr(0, at));
    text = right ? text.substr(0, at) : text.substr(at + separator->size());
  }
  parts.push_back(text);
  if (right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::string replace_text(Runtime& runtime, std::string_view text, std::string_view from,
                         std::string_view to, std::int64_t limit) {
  spend_bytes(text.size());
  limit = std::max<std::int64_t>(limit, -1);
  TextBuilder out(runtime);
  std::size_t at = 0;
  while (limit != 0) {
    if (from.empty()) {
      // The replacement goes in front of every character and behind the last.
      out += to;
      --limit;
      if (at == text.size()) return out.take();
      const std::size_t bytes = point_bytes(text[at]);
      out += text.substr(at, bytes);
      at += bytes;
      continue;
    }
    const std::size_t found = find_text(text, from, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += to;
    at = found + from.size();
    --limit;
  }
  out += text.substr(at);
  return out.take();
}

Value join_values(Runtime& runtime, const Value& separator, const Value& items) {
  TextBuilder out(runtime);
  Iterator it(runtime, items);
  std::int64_t i = 0;
  for (Value item; it.next(item); ++i) {
    if (i > 0) out += separator.text();
    if (separator.markup()) {
      out += escape(runtime, item).text();
    } else {
      if (!item.is_string())
        fail("sequence item {}: expected str instance, {} found", i, type_name(item));
      out += item.text();
    }
  }
  return runtime.string(out.take(), separator.markup());
}

std::string pad_text(Runtime& runtime, const Value& text, std::int64_t width, std::string_view fill,
                     int left_share) {
  if (count_points(fill) != 1) fail("the fill character must be exactly one character long");
  const auto size = static_cast<std::int64_t>(text.rep().length);
  const std::int64_t room = width > size ? width - size : 0;
  const std::int64_t left = left_share == 0   ? 0
                            : left_share == 1 ? room
                                              : room / 2 + (room & width & 1);
  TextBuilder out(runtime);
  out.repeat(fill, left);
  out += text.text();
  out.repeat(fill, room - left);
  return out.take();
}

namespace {

using Text = std::string_view;

template <std::string (*change)(Text)>
Value changed(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("a method of str", arguments, {});
  return runtime.string(change(self.text()), self.markup());
}

template <bool left, bool right>
Value stripped(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("strip", arguments, {""});
  if (!bound.given(0))
    return runtime.string(std::string(strip(self.text(), left, right)), self.markup());
  const Text set = bound.text(0);
  spend_bytes(set.size());
  return runtime.string(std::string(strip(self.text(), left, right, &set)), self.markup());
}

Value pieces(Runtime& runtime, const std::vector<Text>& parts, bool markup) {
  Values items;
  for (const Text part : parts) push(runtime, items, runtime.string(std::string(part), markup));
  return runtime.list(std::move(items));
}

template <bool right>
Value split(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const Text separator = bound.given(0) ? Text(bound.text(0)) : Text();
  return pieces(
      runtime,
      split_text(self.text(), bound.given(0) ? &separator : nullptr, bound.integer(1, -1), right),
      self.markup());
}

Value splitlines(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return pieces(runtime, split_lines(self.text(), bound.flag(0)), self.markup());
}

template <bool right>
Value partition(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("partition", arguments, {""}, 1);
  const Text text = self.text();
  const Text separator = bound.text(0);
  if (separator.empty()) fail("empty separator");
  const std::size_t at = right ? rfind_text(text, separator) : find_text(text, separator);
  Text parts[3] = {text, "", ""};
  if (at != Text::npos) {
    parts[0] = text.substr(0, at);
    parts[1] = separator;
    parts[2] = text.substr(at + separator.size());
  } else if (right) {
    std::swap(parts[0], parts[2]);
  }
  Values items;
  for (const Text part : parts) items.push_back(runtime.string(std::string(part), self.markup()));
  return runtime.tuple(std::move(items));
}

// The part of a text that `start` and `stop` (arguments `first` and `first + 1`) select.
struct Window {
  Text text;
  std::size_t skipped;  // code points in front
};
std::optional<Window> window(const Value& self, const Bound& bound, std::size_t first) {
  const auto size = static_cast<std::int64_t>(self.rep().length);
  const auto clamp = [&](std::size_t i, std::int64_t otherwise) {
    std::int64_t index = bound.given(i) ? to_index(bound[i], "an index of a text") : otherwise;
    if (index < 0) index = std::max<std::int64_t>(index + size, 0);
    return index;
  };
  const std::int64_t start = clamp(first, 0);
  const std::int64_t stop = std::min(clamp(first + 1, size), size);
  if (start > stop) return std::nullopt;
  const Text text = self.text();
  const std::size_t begin = byte_of_point(text, static_cast<std::size_t>(start));
  const std::size_t bytes =
      byte_of_point(text.substr(begin), static_cast<std::size_t>(stop - start));
  spend_bytes(text.size());
  return Window{text.substr(begin, bytes), static_cast<std::size_t>(start)};
}

template <bool right, bool must>
Value find(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("find", arguments, {"", "", ""}, 1);
  const Text wanted = bound.text(0);
  if (const auto part = window(self, bound, 1)) {
    const std::size_t at = right ? rfind_text(part->text, wanted) : find_text(part->text, wanted);
    if (at != Text::npos)
      return Value::integer(
          static_cast<std::int64_t>(part->skipped + count_points(part->text.substr(0, at))));
  }
  if (must) fail("substring not found");
  return Value::integer(-1);
}

Value count(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {"", "", ""}, 1);
  const Text wanted = bound.text(0);
  const auto part = window(self, bound, 1);
  if (!part) return Value::integer(0);
  if (wanted.empty())
    return Value::integer(static_cast<std::int64_t>(count_points(part->text)) + 1);
  std::int64_t found = 0;
  for (std::size_t at = find_text(part->text, wanted); at != Text::npos;
       at = find_text(part->text, wanted, at + wanted.size()))
    ++found;
  return Value::integer(found);
}

template <bool end>
Value begins(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("startswith", arguments, {"", "", ""}, 1);
  const auto part = window(self, bound, 1);
  const auto matches = [&](const Value& affix) {
    if (!affix.is_string()) fail("startswith needs a text or a tuple of texts");
    if (!part) return false;
    return end ? part->text.ends_with(affix.text()) : part->text.starts_with(affix.text());
  };
  if (!bound[0].is(Kind::kTuple)) return Value::boolean(matches(bound[0]));
  bool any = false;
  for (const Value& affix : bound[0].items()) any = any || matches(affix);
  return Value::boolean(any);
}

template <bool end>
Value without(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("removeprefix", arguments, {""}, 1);
  Text text = self.text();
  const Text affix = bound.text(0);
  if (end ? text.ends_with(affix) : text.starts_with(affix))
    end ? text.remove_suffix(affix.size()) : text.remove_prefix(affix.size());
  return runtime.string(std::string(text), self.markup());
}

Value replace(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("replace", arguments, {"", "", ""}, 2);
  const std::int64_t limit = bound.integer(2, -1);
  const Text old = bound.text(0);
  const Value fresh = self.markup() ? escape(runtime, bound[1]) : bound[1];
  if (!fresh.is_string()) fail("replace needs a text, not a {}", type_name(fresh));
  return runtime.string(replace_text(runtime, self.text(), old, fresh.text(), limit),
                        self.markup());
}

Value join(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("join", arguments, {""}, 1);
  return join_values(runtime, self, bound[0]);
}

template <int share>
Value padded(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("center", arguments, {"", ""}, 1);
  const std::string fill = bound.has(1) ? bound.text(1) : " ";
  return runtime.string(pad_text(runtime, self, bound.integer(0, 0), fill, share), self.markup());
}

Value zfill(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("zfill", arguments, {""}, 1);
  const bool sign = self.text().starts_with('-') || self.text().starts_with('+');
  TextBuilder out(runtime);
  if (sign) out += self.text()[0];
  out.repeat("0", std::max<std::int64_t>(bound.integer(0, 0), 0) - length(self));
  out += Text(self.text()).substr(sign);
  return runtime.string(out.take(), self.markup());
}

Value expandtabs(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("expandtabs", arguments, {"tabsize"});
  const std::int64_t size = bound.integer(0, 8);
  TextBuilder out(runtime);
  std::int64_t column = 0;
  for (const char c : self.text()) {
    if (c == '\t') {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      out.repeat(" ", spaces);
      column += spaces;
    } else {
      out += c;
      column = c == '\n' || c == '\r' ? 0 : column + !continues(c);
    }
  }
  return runtime.string(out.take(), self.markup());
}

Value format(Runtime& runtime, const Value& self, Arguments& arguments) {
  return format_braces(runtime, self, arguments);
}

Value format_map(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("format_map", arguments, {""}, 1);
  if (!bound[0].is(Kind::kDict)) fail("format_map needs a mapping, not a {}", type_name(bound[0]));
  Arguments named;
  for (const auto& [key, value] : bound[0].as<Dict>().items)
    if (key.is_string()) named.named.emplace_back(key, value);
  return format_braces(runtime, self, named);
}

template <bool (*is)(char32_t)>
Value all(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("a method of str", arguments, {});
  const std::string& text = self.text();
  spend_bytes(text.size());
  for (std::size_t at = 0; at < text.size();)
    if (!is(decode_point(text, at))) return Value::boolean(false);
  return Value::boolean(!text.empty());
}

bool is_alnum(char32_t p) { return is_alpha(p) || is_numeric(p); }

Value isascii(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("isascii", arguments, {});
  return Value::boolean(self.rep().ascii());
}
Value isprintable(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("isprintable", arguments, {});
  const std::string& text = self.text();
  for (std::size_t at = 0; at < text.size();)
    if (!is_printable(decode_point(text, at))) return Value::boolean(false);
  return Value::boolean(true);
}
Value isidentifier(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("isidentifier", arguments, {});
  const std::u32string points = decode(self.text());
  const bool first = !points.empty() && !is_numeric(points[0]);
  return Value::boolean(first && std::all_of(points.begin(), points.end(), is_word));
}
Value islower(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("islower", arguments, {});
  return Value::boolean(is_lower_text(self.text()));
}
Value isupper(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("isupper", arguments, {});
  return Value::boolean(is_upper_text(self.text()));
}

Value istitle(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("istitle", arguments, {});
  bool cased = false;
  bool inside = false;
  for (const char32_t point : decode(self.text())) {
    const bool big = is_upper(point) || is_title(point);
    if (big ? inside : is_lower(point) && !inside) return Value::boolean(false);
    inside = big || is_lower(point);
    cased |= inside;
  }
  return Value::boolean(cased);
}

Value refused(Runtime&, const Value&, Arguments&) {
  refuse("the methods encode, translate and maketrans of str are not supported");
}

constexpr Method kTextMethods[] = {{"strip", stripped<true, true>},
                                   {"lstrip", stripped<true, false>},
                                   {"rstrip", stripped<false, true>},
                                   {"split", split<false>},
                                   {"rsplit", split<true>},
                                   {"splitlines", splitlines},
                                   {"startswith", begins<false>},
                                   {"endswith", begins<true>},
                                   {"upper", changed<upper>},
                                   {"lower", changed<lower>},
                                   {"title", changed<title>},
                                   {"capitalize", changed<capitalize>},
                                   {"casefold", changed<casefold>},
                                   {"swapcase", changed<swapcase>},
                                   {"replace", replace},
                                   {"join", join},
                                   {"format", format},
                                   {"format_map", format_map},
                                   {"find", find<false, false>},
                                   {"rfind", find<true, false>},
                                   {"index", find<false, true>},
                                   {"rindex", find<true, true>},
                                   {"count", count},
                                   {"partition", partition<false>},
                                   {"rpartition", partition<true>},
                                   {"removeprefix", without<false>},
                                   {"removesuffix", without<true>},
                                   {"center", padded<2>},
                                   {"ljust", padded<0>},
                                   {"rjust", padded<1>},
                                   {"zfill", zfill},
                                   {"expandtabs", expandtabs},
                                   {"isspace", all<is_space>},
                                   {"isalpha", all<is_alpha>},
                                   {"isdigit", all<is_digit>},
                                   {"isdecimal", all<is_decimal>},
                                   {"isnumeric", all<is_numeric>},
                                   {"isalnum", all<is_alnum>},
                                   {"isascii", isascii},
                                   {"isprintable", isprintable},
                                   {"isidentifier", isidentifier},
                                   {"islower", islower},
                                   {"isupper", isupper},
                                   {"istitle", istitle},
                                   {"encode", refused},
                                   {"translate", refused},
                                   {"maketrans", refused}};

}  // namespace

std::span<const Method> text_methods() { return kTextMethods; }

}  // namespace farthing::text::jinja
