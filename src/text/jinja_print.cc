// str(), repr() and json.dumps() of values.
#include <cmath>

#include "text/jinja_runtime.h"
#include "text/jinja_sort.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

class Printer {
 public:
  explicit Printer(Runtime& runtime) : runtime_(runtime), out_(runtime) {}

  void print(const Value& value) {
    spend(1);
    switch (value.kind()) {
      case Kind::kString:
        out_ += value.markup() ? "Markup(" + quote(value.text()) + ")" : quote(value.text());
        break;
      case Kind::kList:
        return sequence(value.items(), "[", "]");
      case Kind::kTuple:
        return sequence(value.items(), "(", value.items().size() == 1 ? ",)" : ")");
      case Kind::kDict:
        return dict(value.as<Dict>());
      case Kind::kView:
        return view(value.as<View>());
      case Kind::kNamespace:
        out_ += "<Namespace ";
        dict(value.as<Namespace>().attributes);
        out_ += '>';
        break;
      default:
        out_ += scalar(value);
    }
  }
  std::string take() { return out_.take(); }

 private:
  static std::string scalar(const Value& value) {
    switch (value.kind()) {
      case Kind::kNone:
        return "None";
      case Kind::kBool:
        return value.integer() != 0 ? "True" : "False";
      case Kind::kInt:
        return std::to_string(value.integer());
      case Kind::kHuge:
        return std::to_string(value.huge());
      case Kind::kFloat:
        return format_real(value.real());
      case Kind::kRange: {
        const auto& range = value.as<Range>();
        const std::string ends = fmt::format("range({}, {}", range.start, range.stop);
        return range.step == 1 ? ends + ")" : ends + fmt::format(", {})", range.step);
      }
      case Kind::kGenerator:
        return std::string("<") + value.as<Generator>().name + " object>";
      case Kind::kCallable:
        return value.as<Callable>().repr();
      case Kind::kLoop:
      case Kind::kCycler:
        return "<" + std::string(type_name(value)) + ">";
      default:
        return "Undefined";
    }
  }

  void sequence(const Values& items, std::string_view open, std::string_view close) {
    out_ += open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      print(items[i]);
    }
    out_ += close;
  }

  // Only a namespace can hold itself; Python prints "{...}" there.
  void dict(const Dict& values) {
    for (const Dict* outer : open_)
      if (outer == &values) {
        out_ += "{...}";
        return;
      }
    if (open_.size() > kMaxNesting) fail("values are nested too deeply to be printed");
    open_.push_back(&values);
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : values.items) {
      if (!first) out_ += ", ";
      first = false;
      print(key);
      out_ += ": ";
      print(value);
    }
    out_ += '}';
    open_.pop_back();
  }

  void view(const View& view) {
    static constexpr std::string_view kNames[] = {"dict_keys", "dict_values", "dict_items"};
    out_ += kNames[static_cast<int>(view.what)];
    Values items = collect(runtime_, runtime_list(view));
    out_ += '(';
    sequence(items, "[", "]");
    out_ += ')';
  }
  static Value runtime_list(const View& view) {
    return Value::object(Kind::kView, const_cast<View*>(&view));
  }

  Runtime& runtime_;
  TextBuilder out_;
  std::vector<const Dict*> open_;
};

class JsonPrinter {
 public:
  JsonPrinter(Runtime& runtime, const Arguments& options) : out_(runtime) {
    const Bound bound("tojson", options, {"ensure_ascii", "indent", "separators", "sort_keys"});
    ascii_ = bound.flag(0);
    sort_ = bound.flag(3);
    if (bound.given(1)) {
      pretty_ = true;
      if (bound[1].is_string()) {
        indent_ = bound[1].text();
      } else {
        TextBuilder spaces(runtime);
        spaces.repeat(" ", to_index(bound[1], "indent"));
        indent_ = spaces.take();
      }
      item_end_ = ",";
    }
    if (bound.given(2)) {
      const Values parts = collect(runtime, bound[2]);
      if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string())
        fail("separators must be two texts");
      item_end_ = parts[0].text();
      key_end_ = parts[1].text();
    }
  }

  void print(const Value& value) {
    spend(1);
    switch (value.kind()) {
      case Kind::kString:
        return text(value.text());
      case Kind::kList:
      case Kind::kTuple:
        return array(value.items());
      case Kind::kDict:
        return object(value.as<Dict>());
      default:
        out_ += scalar(value);
    }
  }
  std::string take() { return out_.take(); }

 private:
  static std::string scalar(const Value& value) {
    switch (value.kind()) {
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return value.integer() != 0 ? "true" : "false";
      case Kind::kInt:
        return std::to_string(value.integer());
      case Kind::kHuge:
        return std::to_string(value.huge());
      case Kind::kFloat:
        if (std::isnan(value.real())) return "NaN";
        if (std::isinf(value.real())) return value.real() < 0 ? "-Infinity" : "Infinity";
        return format_real(value.real());
      default:
        fail("Object of type {} is not JSON serializable", type_name(value));
    }
  }

  void text(std::string_view value) {
    std::string quoted = "\"";
    for (std::size_t at = 0; at < value.size();) append_json(quoted, decode_point(value, at));
    quoted += '"';
    out_ += quoted;
  }

  void append_json(std::string& out, char32_t point) const {
    static constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kLetters = "\"\\bfnrt";
    const auto escaped = [&](char32_t unit) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(unit));
    };
    const std::size_t special =
        point < 0x80 ? kSpecial.find(static_cast<char>(point)) : std::string_view::npos;
    if (special != std::string_view::npos) {
      out += '\\';
      out += kLetters[special];
    } else if (point < ' ' || (ascii_ && point >= 0x7F && point < 0x10000)) {
      escaped(point);
    } else if (ascii_ && point >= 0x10000) {
      escaped(0xD800 + ((point - 0x10000) >> 10));
      escaped(0xDC00 + ((point - 0x10000) & 0x3FF));
    } else {
      append_point(out, point);
    }
  }

  void new_line() {
    if (!pretty_) return;
    out_ += '\n';
    out_.repeat(indent_, level_);
  }

  void array(const Values& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += item_end_;
      new_line();
      print(items[i]);
    }
    --level_;
    new_line();
    out_ += ']';
  }

  static std::string key_text(const Value& key) {
    if (key.is_string()) return key.text();
    if (key.is_number() || key.is_none()) return scalar(key);
    fail("keys must be str, int, float, bool or None, not {}", type_name(key));
  }

  void object(const Dict& dict) {
    if (dict.items.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (sort_)
      merge_sort(items, [](const auto* b, const auto* a) { return less(b->first, a->first); });
    out_ += '{';
    ++level_;
    bool first = true;
    for (const auto* item : items) {
      if (!first) out_ += item_end_;
      first = false;
      new_line();
      text(key_text(item->first));
      out_ += key_end_;
      print(item->second);
    }
    --level_;
    new_line();
    out_ += '}';
  }

  TextBuilder out_;
  bool ascii_ = false, sort_ = false, pretty_ = false;
  std::string indent_, item_end_ = ", ", key_end_ = ": ";
  std::int64_t level_ = 0;
};

}  // namespace

std::string to_repr(Runtime& runtime, const Value& value) {
  Printer printer(runtime);
  printer.print(value);
  return printer.take();
}

std::string to_text(Runtime& runtime, const Value& value) {
  if (value.is_string()) return value.text();
  if (value.undefined()) return "";
  return to_repr(runtime, value);
}

Value to_string(Runtime& runtime, const Value& value) {
  return value.is_string() ? value : runtime.string(to_text(runtime, value));
}

std::string to_json(Runtime& runtime, const Value& value, const Arguments& options) {
  JsonPrinter printer(runtime, options);
  printer.print(value);
  return printer.take();
}

}  // namespace farthing::text::jinja
