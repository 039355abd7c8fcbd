// What stands behind `is`.
#include <cmath>

#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

using In = const Value&;

void none_taken(const Arguments& arguments) { const Bound bound("the test", arguments, {}); }

bool modulo_is(Runtime& runtime, In value, const Value& by, std::int64_t rest) {
  const Value result = arithmetic(runtime, Op::kModulo, value, by);
  return equal(result, Value::integer(rest));
}

bool odd(Runtime& runtime, In value, Arguments& arguments) {
  none_taken(arguments);
  return modulo_is(runtime, value, Value::integer(2), 1);
}
bool even(Runtime& runtime, In value, Arguments& arguments) {
  none_taken(arguments);
  return modulo_is(runtime, value, Value::integer(2), 0);
}
bool divisible_by(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return modulo_is(runtime, value, bound[0], 0);
}

template <bool (*holds)(In)>
bool simple(Runtime&, In value, Arguments& arguments) {
  none_taken(arguments);
  return holds(value);
}
bool defined(In v) { return !v.undefined(); }
bool undefined(In v) { return v.undefined(); }
bool none(In v) { return v.is_none(); }
bool boolean(In v) { return v.is(Kind::kBool); }
bool is_true(In v) { return v.is(Kind::kBool) && v.integer() != 0; }
bool is_false(In v) { return v.is(Kind::kBool) && v.integer() == 0; }
bool integer(In v) { return v.is(Kind::kInt) || v.is(Kind::kHuge); }
bool real(In v) { return v.is(Kind::kFloat); }
bool number(In v) { return v.is_number(); }
bool string(In v) { return v.is_string(); }
bool mapping(In v) { return v.is(Kind::kDict); }
bool escaped(In v) { return v.is_string() && v.markup(); }
bool sequence(In v) {
  return v.undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kDict) ||
         v.is(Kind::kRange);
}
bool iterable(In v) { return is_iterable(v) || v.is(Kind::kLoop); }
bool callable(In v) { return v.undefined() || v.is(Kind::kCallable) || v.is(Kind::kLoop); }

bool lower(Runtime& runtime, In value, Arguments& arguments) {
  none_taken(arguments);
  return is_lower_text(to_text(runtime, value));
}
bool upper(Runtime& runtime, In value, Arguments& arguments) {
  none_taken(arguments);
  return is_upper_text(to_text(runtime, value));
}

bool filter(Runtime&, In value, Arguments& arguments) {
  none_taken(arguments);
  hash_of(value);
  return value.is_string() && find_filter(value.text()) != nullptr;
}
bool test(Runtime&, In value, Arguments& arguments) {
  none_taken(arguments);
  hash_of(value);
  return value.is_string() && find_test(value.text()) != nullptr;
}

bool same_as(Runtime&, In value, Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  return value.same(bound[0]);
}
bool in(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("in", arguments, {"seq"}, 1);
  return contains(runtime, bound[0], value);
}

template <Comparison op>
bool compared(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("a comparison", arguments, {""}, 1);
  return compare(runtime, op, value, bound[0]);
}

struct Row {
  std::string_view name;
  TestFunction function;
};
constexpr Row kTests[] = {{"defined", simple<defined>},
                          {"undefined", simple<undefined>},
                          {"none", simple<none>},
                          {"string", simple<string>},
                          {"mapping", simple<mapping>},
                          {"iterable", simple<iterable>},
                          {"sequence", simple<sequence>},
                          {"boolean", simple<boolean>},
                          {"true", simple<is_true>},
                          {"false", simple<is_false>},
                          {"integer", simple<integer>},
                          {"float", simple<real>},
                          {"number", simple<number>},
                          {"callable", simple<callable>},
                          {"escaped", simple<escaped>},
                          {"odd", odd},
                          {"even", even},
                          {"divisibleby", divisible_by},
                          {"lower", lower},
                          {"upper", upper},
                          {"filter", filter},
                          {"test", test},
                          {"sameas", same_as},
                          {"in", in},
                          {"==", compared<Comparison::kEqual>},
                          {"eq", compared<Comparison::kEqual>},
                          {"equalto", compared<Comparison::kEqual>},
                          {"!=", compared<Comparison::kNotEqual>},
                          {"ne", compared<Comparison::kNotEqual>},
                          {">", compared<Comparison::kGreater>},
                          {"gt", compared<Comparison::kGreater>},
                          {"greaterthan", compared<Comparison::kGreater>},
                          {">=", compared<Comparison::kGreaterEqual>},
                          {"ge", compared<Comparison::kGreaterEqual>},
                          {"<", compared<Comparison::kLess>},
                          {"lt", compared<Comparison::kLess>},
                          {"lessthan", compared<Comparison::kLess>},
                          {"<=", compared<Comparison::kLessEqual>},
                          {"le", compared<Comparison::kLessEqual>}};

}  // namespace

TestFunction find_test(std::string_view name) {
  for (const Row& row : kTests)
    if (row.name == name) return row.function;
  return nullptr;
}

}  // namespace farthing::text::jinja
