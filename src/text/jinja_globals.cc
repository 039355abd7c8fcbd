// The functions that a template finds: Jinja's own and those of transformers.
#include <limits>

#include "core/text.h"
#include "text/jinja_runtime.h"

namespace farthing::text::jinja {
namespace {

struct Function : Callable {
  using Body = Value (*)(Runtime&, Arguments&);
  explicit Function(Body b) : body(b) {}
  Value call(Runtime& runtime, Arguments& arguments) override { return body(runtime, arguments); }
  Body body;
};

constexpr std::int64_t kMaxRange = 100'000;  // the sandbox's MAX_RANGE

Value range(Runtime& runtime, Arguments& arguments) {
  const Bound bound("range", arguments, {"", "", ""}, 1);
  auto* made = runtime.heap.make<Range>();
  made->stop = bound.integer(bound.has(1) ? 1 : 0, 0);
  made->start = bound.has(1) ? bound.integer(0, 0) : 0;
  made->step = bound.integer(2, 1);
  if (made->step == 0) fail("range() arg 3 must not be zero");
  const bool up = made->step > 0;
  if (up ? made->start < made->stop : made->start > made->stop) {
    const auto first = static_cast<std::uint64_t>(made->start);
    const auto last = static_cast<std::uint64_t>(made->stop);
    const auto step = static_cast<std::uint64_t>(made->step);
    const std::uint64_t count =
        up ? (last - first - 1) / step + 1 : (first - last - 1) / (0 - step) + 1;
    if (count > kMaxRange)
      fail("range too big: a template may count up to {}, not {}", kMaxRange, count);
    made->length = static_cast<std::int64_t>(count);
  }
  return Value::object(Kind::kRange, made);
}

Value namespace_of(Runtime& runtime, Arguments& arguments) {
  const Value initial = make_dict(runtime, arguments);
  auto* made = runtime.heap.make<Namespace>();
  for (const auto& [key, value] : initial.as<Dict>().items) {
    if (key.is_string() && key.text().starts_with('_'))
      fail("a namespace cannot have the attribute '{}': its name begins with an underscore",
           printable(key.text()));
    set_item(runtime, made->attributes, key, value);
  }
  return Value::object(Kind::kNamespace, made);
}

Value raise_exception(Runtime& runtime, Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  fail("{}", to_text(runtime, bound[0]));
}

Value strftime_now(Runtime& runtime, Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  return runtime.string(strftime_of(runtime.clock, bound.text(0)));
}

Value cycler(Runtime& runtime, Arguments& arguments) {
  if (!arguments.named.empty()) fail("cycler takes no keyword arguments");
  if (arguments.positional.empty()) fail("cycler needs at least one item");
  auto* made = runtime.heap.make<Cycler>();
  made->items = arguments.positional;
  return Value::object(Kind::kCycler, made);
}

struct Joiner final : Callable {
  explicit Joiner(Value s) : separator(std::move(s)) {}
  Value call(Runtime& runtime, Arguments& arguments) override {
    const Bound bound("joiner", arguments, {});
    if (used) return separator;
    used = true;
    return runtime.string("");
  }
  Value attribute(Runtime&, std::string_view name) override {
    if (name == "sep") return separator;
    return name == "used" ? Value::boolean(used) : Value();
  }
  Value separator;
  bool used = false;
};

Value joiner(Runtime& runtime, Arguments& arguments) {
  const Bound bound("joiner", arguments, {"sep"});
  const Value separator = bound.has(0) ? bound[0] : runtime.string(", ");
  return Value::object(Kind::kCallable, runtime.heap.make<Joiner>(separator));
}

Value lipsum(Runtime&, Arguments&) {
  refuse("lipsum is not supported: a rendering must give the same text every time");
}

struct DictFunction final : Function {
  DictFunction() : Function(make_dict) {}
  Value attribute(Runtime& runtime, std::string_view name) override {
    if (name != "fromkeys") return {};
    return find_method(runtime, Value::object(Kind::kDict, runtime.heap.make<Dict>()), name);
  }
};

}  // namespace

Value make_dict(Runtime& runtime, Arguments& arguments) {
  auto* dict = runtime.heap.make<Dict>();
  if (arguments.positional.size() > 1) fail("dict takes at most one positional argument");
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.as<Dict>().items) set_item(runtime, *dict, key, value);
    } else {
      Iterator it(runtime, source);
      for (Value pair; it.next(pair);) {
        const Values parts = collect(runtime, pair);
        if (parts.size() != 2) fail("dict needs pairs of a key and a value");
        set_item(runtime, *dict, parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) set_item(runtime, *dict, name, value);
  return Value::object(Kind::kDict, dict);
}

void add_globals(Runtime& runtime, const std::function<void(const char*, Value)>& add) {
  constexpr std::pair<const char*, Function::Body> kFunctions[] = {
      {"range", range},   {"namespace", namespace_of},    {"raise_exception", raise_exception},
      {"cycler", cycler}, {"strftime_now", strftime_now}, {"joiner", joiner},
      {"lipsum", lipsum}};
  for (const auto& [name, body] : kFunctions)
    add(name, Value::object(Kind::kCallable, runtime.heap.make<Function>(body)));
  add("dict", Value::object(Kind::kCallable, runtime.heap.make<DictFunction>()));
}

}  // namespace farthing::text::jinja
