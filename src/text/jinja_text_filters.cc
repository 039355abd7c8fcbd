// Filters over texts.
#include <algorithm>

#include "text/jinja_filters.h"
#include "text/jinja_methods.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

using In = const Value&;

Value string(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return to_string(runtime, value);
}

template <std::string (*change)(std::string_view)>
Value changed(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("the filter", arguments, {});
  const Value text = to_string(runtime, value);
  return runtime.string(change(text.text()), text.markup());
}

// Words begin behind white space and any of - ( { [ <.
std::string title_words(std::string_view text) {
  std::string out;
  std::size_t start = 0;
  const auto flush = [&](std::size_t end) {
    if (end == start) return;
    std::size_t first = start;
    decode_point(text, first);
    out += upper(text.substr(start, first - start));
    out += lower(text.substr(first, end - first));
    start = end;
  };
  const auto separates = [](char32_t p) {
    return is_space(p) || p == '-' || p == '(' || p == '{' || p == '[' || p == '<';
  };
  bool between = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const bool separator = separates(decode_point(text, at));
    if (separator != between) flush(here);
    between = separator;
  }
  flush(text.size());
  return out;
}

Value trim(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const Value text = to_string(runtime, value);
  if (!bound.given(0))
    return runtime.string(std::string(strip(text.text(), true, true)), text.markup());
  const std::string_view set = bound.text(0);
  return runtime.string(std::string(strip(text.text(), true, true, &set)), text.markup());
}

Value replace(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t limit = bound.given(2) ? bound.integer(2, -1) : -1;
  return runtime.string(replace_text(runtime, to_text(runtime, value), to_text(runtime, bound[0]),
                                     to_text(runtime, bound[1]), limit));
}

Value escaped(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  return escape(runtime, value);
}
Value force_escaped(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  return runtime.string(escape_html(to_text(runtime, value)), true);
}
Value safe(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  return to_string(runtime, value).with_markup(true);
}

Value format(Runtime& runtime, In value, Arguments& arguments) {
  const Value pattern = to_string(runtime, value);
  if (arguments.named.empty())
    return format_percent(runtime, pattern, runtime.tuple(arguments.positional));
  if (!arguments.positional.empty())
    fail("format cannot handle positional and keyword arguments at the same time");
  return format_percent(runtime, pattern, make_dict(runtime, arguments));
}

Value center(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  const Value text = to_string(runtime, value);
  return runtime.string(pad_text(runtime, text, bound.integer(0, 80), " ", 2), text.markup());
}

Value indent(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  if (!value.is_string()) {
    if (value.undefined()) fail_undefined(value);
    fail("indent needs a text, not a {}", type_name(value));
  }
  TextBuilder margin(runtime);
  if (bound.has(0) && bound[0].is_string())
    margin += bound[0].text();
  else
    margin.repeat(" ", bound.integer(0, 4));
  std::string by = margin.take();
  if (value.markup()) by = bound.has(0) && bound[0].is_string() && !bound[0].markup() ? by : by;
  const bool blank = bound.flag(2);
  const std::string text = value.text() + "\n";
  TextBuilder out(runtime);
  if (bound.flag(1)) out += by;
  bool first = true;
  for (const std::string_view line : split_lines(text)) {
    if (!first) {
      out += '\n';
      if (blank || !line.empty()) out += by;
    }
    first = false;
    out += line;
  }
  return runtime.string(out.take(), value.markup());
}

Value truncate(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::int64_t limit = bound.integer(0, 255);
  const Value end = bound.has(2) ? bound[2] : runtime.string("...");
  const std::int64_t leeway = bound.given(3) ? bound.integer(3, 5) : 5;
  if (limit < length(end)) fail("expected length >= {}, got {}", length(end), limit);
  if (leeway < 0) fail("expected leeway >= 0, got {}", leeway);
  std::int64_t most = 0;
  if (__builtin_add_overflow(limit, leeway, &most) || length(value) <= most) return value;
  Value head = slice(runtime, value, {}, Value::integer(limit - length(end)), {});
  if (!bound.flag(1)) {
    if (!head.is_string()) fail("truncate needs a text, not a {}", type_name(value));
    const std::string_view space = " ";
    head = runtime.string(std::string(split_text(head.text(), &space, 1, true).front()),
                          head.markup());
  }
  return arithmetic(runtime, Op::kAdd, head, end);
}

Value wordcount(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("wordcount", arguments, {});
  std::int64_t words = 0;
  bool inside = false;
  const std::string text = to_text(runtime, value);
  spend_bytes(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const bool word = is_word(decode_point(text, at));
    words += word && !inside;
    inside = word;
  }
  return Value::integer(words);
}

// The entities that escaping makes, and the ones that everybody writes.
std::string unescape_html(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
      {"amp;", "&"},  {"lt;", "<"},  {"gt;", ">"},        {"quot;", "\""},
      {"#34;", "\""}, {"#39;", "'"}, {"nbsp;", "\u00A0"}, {"apos;", "'"}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    for (const auto& [name, character] : kEntities) {
      if (text[at] != '&' || !text.substr(at + 1).starts_with(name)) continue;
      out += character;
      at += name.size() + 1;
      found = true;
      break;
    }
    if (!found) out += text[at++];
  }
  return out;
}

Value striptags(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("striptags", arguments, {});
  const std::string text = to_text(runtime, value);
  std::string kept;
  std::size_t at = 0;
  for (std::size_t open = text.find('<'); open != std::string::npos; open = text.find('<', at)) {
    const bool comment = std::string_view(text).substr(open).starts_with("<!--");
    const std::size_t close = comment ? text.find("-->", open + 4) : text.find('>', open);
    if (close == std::string::npos) break;
    kept += text.substr(at, open - at);
    at = close + (comment ? 3 : 1);
  }
  kept += text.substr(at);
  std::string out;
  for (const std::string_view word : split_text(kept, nullptr, -1, false)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return runtime.string(unescape_html(out));
}

std::string quote_url(std::string_view text, bool query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain)
      out += c;
    else if (c == ' ' && query)
      out += '+';
    else
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

Value urlencode(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("urlencode", arguments, {});
  if (value.is_string() || !is_iterable(value))
    return runtime.string(quote_url(to_text(runtime, value), false));
  TextBuilder out(runtime);
  const auto add = [&](const Value& key, const Value& item) {
    if (out.size() > 0) out += '&';
    out += quote_url(to_text(runtime, key), true) + "=" + quote_url(to_text(runtime, item), true);
  };
  if (value.is(Kind::kDict)) {
    for (const auto& [key, item] : value.as<Dict>().items) add(key, item);
    return runtime.string(out.take());
  }
  Iterator it(runtime, value);
  for (Value pair; it.next(pair);) {
    const Values parts = collect(runtime, pair);
    if (parts.size() != 2) fail("urlencode needs pairs of a key and a value");
    add(parts[0], parts[1]);
  }
  return runtime.string(out.take());
}

Value xmlattr(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("xmlattr", arguments, {"autospace"});
  if (value.undefined()) fail_undefined(value);
  if (!value.is(Kind::kDict)) fail("xmlattr needs a mapping, not a {}", type_name(value));
  TextBuilder out(runtime);
  for (const auto& [key, item] : value.as<Dict>().items) {
    if (item.is_none() || item.undefined()) continue;
    if (!key.is_string()) fail("xmlattr needs texts as keys");
    if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      fail("invalid character in attribute name: {}", quote(key.text()));
    if (out.size() > 0 || bound.flag(0, true)) out += ' ';
    out += escape(runtime, key).text() + "=\"" + escape(runtime, item).text() + "\"";
  }
  return runtime.string(out.take());
}

constexpr FilterRow kTextFilters[] = {{"string", string},
                                      {"trim", trim},
                                      {"upper", changed<upper>},
                                      {"lower", changed<lower>},
                                      {"capitalize", changed<capitalize>},
                                      {"title", changed<title_words>},
                                      {"replace", replace},
                                      {"escape", escaped},
                                      {"e", escaped},
                                      {"forceescape", force_escaped},
                                      {"safe", safe},
                                      {"format", format},
                                      {"center", center},
                                      {"indent", indent},
                                      {"truncate", truncate},
                                      {"wordcount", wordcount},
                                      {"striptags", striptags},
                                      {"urlencode", urlencode},
                                      {"xmlattr", xmlattr}};

}  // namespace

std::span<const FilterRow> text_filters() { return kTextFilters; }

}  // namespace farthing::text::jinja
