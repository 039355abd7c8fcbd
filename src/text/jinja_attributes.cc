// `object.name` and `object[key]`, as the immutable sandbox of Jinja lets a template see Python.
#include <algorithm>

#include "text/jinja_loop.h"
#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

// Methods that change a list or a dict exist, but the sandbox hands out nothing usable for them.
bool modifies(Kind kind, std::string_view name) {
  static constexpr std::string_view kList[] = {"append", "clear", "pop",    "reverse",
                                               "insert", "sort",  "extend", "remove"};
  static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  if (kind == Kind::kList)
    return std::find(std::begin(kList), std::end(kList), name) != std::end(kList);
  if (kind == Kind::kDict)
    return std::find(std::begin(kDict), std::end(kDict), name) != std::end(kDict);
  return false;
}

bool is_dunder(std::string_view name) {
  return name.size() > 4 && name.starts_with("__") && name.ends_with("__");
}

// What Python's getattr() finds and the sandbox passes: missing when there is no such attribute.
Value python_attribute(Runtime& runtime, const Value& object, const Value& name) {
  const std::string& text = name.text();
  switch (object.kind()) {
    case Kind::kUndefined:
      fail_undefined(object);
    case Kind::kNamespace: {
      const Value* value = object.as<Namespace>().attributes.find(name);
      return value == nullptr ? Value() : *value;
    }
    case Kind::kLoop: {
      Value value = object.as<Loop>().attribute(name);
      return value.missing() ? find_method(runtime, object, text) : value;
    }
    case Kind::kCallable: {
      Value value = object.as<Callable>().attribute(runtime, text);
      return value.missing() ? find_method(runtime, object, text) : value;
    }
    case Kind::kTuple:
      if (object.as<List>().group && (text == "grouper" || text == "list"))
        return object.items()[text == "list"];
      break;
    case Kind::kCycler: {
      const auto& cycler = object.as<Cycler>();
      if (text == "current") return cycler.items[cycler.position];
      if (text == "pos") return Value::integer(static_cast<std::int64_t>(cycler.position));
      if (text == "items") return runtime.tuple(cycler.items);
      break;
    }
    case Kind::kRange: {
      const auto& range = object.as<Range>();
      if (text == "start") return Value::integer(range.start);
      if (text == "stop") return Value::integer(range.stop);
      if (text == "step") return Value::integer(range.step);
      break;
    }
    case Kind::kBool:
    case Kind::kInt:
      if (text == "real" || text == "numerator") return Value::integer(object.integer());
      if (text == "imag") return Value::integer(0);
      if (text == "denominator") return Value::integer(1);
      break;
    case Kind::kFloat:
      if (text == "real") return object;
      if (text == "imag") return Value::real(0);
      break;
    default:
      break;
  }
  if (modifies(object.kind(), text) || is_dunder(text))
    return Value::undefined(Absence::kUnsafe, name, object.kind());
  return find_method(runtime, object, text);
}

// obj[key] of Python; missing where it raises TypeError or LookupError.
Value python_item(Runtime& runtime, const Value& object, const Value& key) {
  switch (object.kind()) {
    case Kind::kUndefined:
      fail_undefined(object);
    case Kind::kDict: {
      if (key.is(Kind::kList) || key.is(Kind::kDict) || key.is(Kind::kView)) return {};
      const Value* value = object.as<Dict>().find(key);
      return value == nullptr ? Value() : *value;
    }
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kString:
    case Kind::kRange:
      break;
    default:
      return {};
  }
  if (!key.is_integer()) return {};
  const std::int64_t size = length(object);
  const std::int64_t index = key.integer() < 0 ? key.integer() + size : key.integer();
  if (index < 0 || index >= size) return {};
  const auto at = static_cast<std::size_t>(index);
  if (object.is(Kind::kRange)) return Value::integer(object.as<Range>().at(index));
  if (!object.is_string()) return object.items()[at];
  const std::string& text = object.text();
  const std::size_t byte = object.rep().ascii() ? at : byte_of_point(text, at);
  spend_bytes(byte);
  return runtime.string(text.substr(byte, point_bytes(text[byte])), object.markup());
}

Value absent(Runtime& runtime, const Value& object, const Value& key) {
  if (key.is_string())
    return Value::undefined(Absence::kAttribute, key.with_markup(false), object.kind());
  return Value::undefined(Absence::kElement, runtime.string(to_repr(runtime, key)), object.kind());
}

}  // namespace

Value get_attribute(Runtime& runtime, const Value& object, const Value& name) {
  Value value = python_attribute(runtime, object, name);
  if (value.missing()) value = python_item(runtime, object, name);
  return value.missing() ? absent(runtime, object, name) : value;
}

Value get_item(Runtime& runtime, const Value& object, const Value& key) {
  Value value = python_item(runtime, object, key);
  if (value.missing() && key.is_string()) value = python_attribute(runtime, object, key);
  return value.missing() ? absent(runtime, object, key) : value;
}

bool has_attribute(Runtime& runtime, const Value& object, const Value& name) {
  if (object.undefined()) return true;  // whatever it is, asking for it raises
  return !python_attribute(runtime, object, name).missing();
}

}  // namespace farthing::text::jinja
