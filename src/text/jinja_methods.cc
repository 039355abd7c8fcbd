// Methods of lists, dicts, numbers, loops and cyclers; those of texts are in jinja_text_methods.cc.
#include "text/jinja_methods.h"

#include <cmath>

#include "text/jinja_loop.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

struct BoundMethod final : Callable {
  BoundMethod(const Value& o, const Method& m) : self(o), method(m) {}
  Value call(Runtime& runtime, Arguments& arguments) override {
    return method.function(runtime, self, arguments);
  }
  std::string repr() const override {
    return fmt::format("<built-in method {} of {} object>", method.name, type_name(self));
  }
  Value self;
  const Method& method;
};

Value dict_get(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("get", arguments, {"", ""}, 1);
  const Value* value = self.as<Dict>().find(bound[0]);
  return value != nullptr ? *value : bound.get(1, Value::none());
}

template <View::What what>
Value dict_view(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("a view of a dict", arguments, {});
  auto* view = runtime.heap.make<View>(self, what);
  view->depth = self.object()->depth;
  return Value::object(Kind::kView, view);
}

Value dict_copy(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  auto* copy = runtime.heap.make<Dict>();
  for (const auto& [key, value] : self.as<Dict>().items) set_item(runtime, *copy, key, value);
  return Value::object(Kind::kDict, copy);
}

Value dict_from_keys(Runtime& runtime, const Value&, Arguments& arguments) {
  const Bound bound("fromkeys", arguments, {"", ""}, 1);
  auto* dict = runtime.heap.make<Dict>();
  Iterator it(runtime, bound[0]);
  for (Value key; it.next(key);) set_item(runtime, *dict, key, bound.get(1, Value::none()));
  return Value::object(Kind::kDict, dict);
}

Value sequence_count(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {""}, 1);
  std::int64_t count = 0;
  Iterator it(runtime, self);
  for (Value item; it.next(item);) count += equal(item, bound[0]);
  return Value::integer(count);
}

Value sequence_index(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("index", arguments, {"", "", ""}, 1);
  const std::int64_t size = length(self);
  const auto clamp = [&](std::int64_t i) {
    return std::min(std::max<std::int64_t>(i < 0 ? i + size : i, 0), size);
  };
  const std::int64_t start = clamp(bound.integer(1, 0));
  const std::int64_t stop = clamp(bound.integer(2, size));
  Iterator it(runtime, self);
  Value item;
  for (std::int64_t i = 0; i < stop && it.next(item); ++i)
    if (i >= start && equal(item, bound[0])) return Value::integer(i);
  fail("{} is not in the {}", to_repr(runtime, bound[0]), type_name(self));
}

Value list_copy(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  return runtime.list(self.items());
}

Value number_conjugate(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("conjugate", arguments, {});
  return self.is(Kind::kBool) ? Value::integer(self.integer()) : self;
}

Value int_bit_length(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("bit_length", arguments, {});
  auto left = static_cast<std::uint64_t>(self.integer());
  if (self.integer() < 0) left = 0 - left;
  std::int64_t bits = 0;
  for (; left != 0; left >>= 1) ++bits;
  return Value::integer(bits);
}

Value float_is_integer(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("is_integer", arguments, {});
  return Value::boolean(std::isfinite(self.real()) && self.real() == std::floor(self.real()));
}

Value loop_cycle(Runtime&, const Value& self, Arguments& arguments) {
  return self.as<Loop>().cycle(arguments);
}
Value loop_changed(Runtime&, const Value& self, Arguments& arguments) {
  return self.as<Loop>().changed(arguments);
}

Value cycler_next(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("next", arguments, {});
  auto& cycler = self.as<Cycler>();
  const Value value = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return value;
}
Value cycler_reset(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("reset", arguments, {});
  self.as<Cycler>().position = 0;
  return Value::none();
}

constexpr Method kDictMethods[] = {{"get", dict_get},
                                   {"items", dict_view<View::What::kItems>},
                                   {"keys", dict_view<View::What::kKeys>},
                                   {"values", dict_view<View::What::kValues>},
                                   {"copy", dict_copy},
                                   {"fromkeys", dict_from_keys}};
constexpr Method kListMethods[] = {
    {"index", sequence_index}, {"count", sequence_count}, {"copy", list_copy}};
constexpr Method kTupleMethods[] = {{"index", sequence_index}, {"count", sequence_count}};
constexpr Method kIntMethods[] = {{"conjugate", number_conjugate}, {"bit_length", int_bit_length}};
constexpr Method kFloatMethods[] = {{"conjugate", number_conjugate},
                                    {"is_integer", float_is_integer}};
constexpr Method kLoopMethods[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};
constexpr Method kCyclerMethods[] = {{"next", cycler_next}, {"reset", cycler_reset}};

std::span<const Method> methods_of(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return text_methods();
    case Kind::kDict:
      return kDictMethods;
    case Kind::kList:
      return kListMethods;
    case Kind::kTuple:
    case Kind::kRange:
      return kTupleMethods;
    case Kind::kBool:
    case Kind::kInt:
      return kIntMethods;
    case Kind::kFloat:
      return kFloatMethods;
    case Kind::kLoop:
      return kLoopMethods;
    case Kind::kCycler:
      return kCyclerMethods;
    default:
      return {};
  }
}

}  // namespace

Value find_method(Runtime& runtime, const Value& object, std::string_view name) {
  for (const Method& method : methods_of(object.kind()))
    if (method.name == name)
      return Value::object(Kind::kCallable, runtime.heap.make<BoundMethod>(object, method));
  return {};
}

}  // namespace farthing::text::jinja
