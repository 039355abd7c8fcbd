// Python's operators, truth, length, iteration and slices.
#include <algorithm>
#include <cmath>
#include <limits>

#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.real() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.items().empty();
    case Kind::kDict:
      return !value.as<Dict>().items.empty();
    case Kind::kRange:
      return value.as<Range>().length != 0;
    case Kind::kView:
      return truth(value.as<View>().dict);
    default:
      return true;
  }
}

std::int64_t length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<std::int64_t>(value.rep().length);
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<std::int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<std::int64_t>(value.as<Dict>().items.size());
    case Kind::kRange:
      return value.as<Range>().length;
    case Kind::kView:
      return length(value.as<View>().dict);
    default:
      fail("object of type '{}' has no len()", type_name(value));
  }
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kGenerator:
      return true;
    default:
      return false;
  }
}

Iterator::Iterator(Runtime& runtime, const Value& value) : runtime_(&runtime), value_(value) {
  if (!is_iterable(value)) fail("'{}' object is not iterable", type_name(value));
  if (!value.is(Kind::kGenerator)) size_ = length(value);
}

bool Iterator::next(Value& out) {
  spend(1);
  if (value_.is(Kind::kGenerator)) return value_.as<Generator>().next(out);
  if (value_.is_string()) {
    const std::string& text = value_.text();
    if (at_ >= text.size()) return false;
    const std::size_t begin = at_;
    at_ += point_bytes(text[at_]);
    out = runtime_->string(text.substr(begin, at_ - begin));
    return true;
  }
  const std::size_t i = at_;
  if (static_cast<std::int64_t>(i) >= *size_) return false;
  ++at_;
  if (value_.is_sequence()) {
    out = value_.items()[i];
  } else if (value_.is(Kind::kDict)) {
    out = value_.as<Dict>().items[i].first;
  } else if (value_.is(Kind::kRange)) {
    const auto& range = value_.as<Range>();
    out = Value::integer(range.at(static_cast<std::int64_t>(i)));
  } else {
    const auto& view = value_.as<View>();
    const auto& [key, item] = view.dict.as<Dict>().items[i];
    out = view.what == View::What::kKeys     ? key
          : view.what == View::What::kValues ? item
                                             : runtime_->tuple({key, item});
  }
  return true;
}

Values collect(Runtime& runtime, const Value& iterable) {
  Values items;
  Iterator it(runtime, iterable);
  for (Value item; it.next(item);) push(runtime, items, item);
  return items;
}

namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->undefined()) fail_undefined(*value);
    if (value->is(Kind::kHuge)) fail("integers beyond 64 bits with a sign can only be printed");
  }
  fail("unsupported operand type(s) for {}: '{}' and '{}'", op, type_name(a), type_name(b));
}

[[noreturn]] void fail_overflow() { fail("the result does not fit an integer of 64 bits"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1) {
    if (a == std::numeric_limits<std::int64_t>::min()) fail_overflow();
    return -a;
  }
  const std::int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  if (b == 0) fail("float modulo by zero");
  double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  if ((rest < 0) != (b < 0)) rest += b;
  return rest;
}

double floor_divide(double a, double b) {
  if (b == 0) fail("float floor division by zero");
  const double rest = modulo(a, b);
  double quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1.0 : floored;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) fail_overflow();
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
  return result;
}

double power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) &&
      exponent != std::floor(exponent))
    fail("the power is a complex number, which templates cannot use");
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
    fail("the result of ** is out of range");
  return result;
}

Value integer_arithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Op::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Op::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Op::kDivide:
      if (b == 0) fail("division by zero");
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case Op::kFloorDivide:
      result = floor_divide(a, b);
      break;
    case Op::kModulo:
      result = modulo(a, b);
      break;
    default:
      if (b < 0) return Value::real(power(static_cast<double>(a), static_cast<double>(b)));
      // 1 and -1 have large powers too
      if (a == 1 || a == -1 || a == 0) b = b % 2 == 0 && b > 0 ? 2 : b > 0 ? 1 : 0;
      result = power(a, b);
  }
  if (overflow) fail_overflow();
  return Value::integer(result);
}

Value real_arithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::real(a + b);
    case Op::kSubtract:
      return Value::real(a - b);
    case Op::kMultiply:
      return Value::real(a * b);
    case Op::kDivide:
      if (b == 0) fail("float division by zero");
      return Value::real(a / b);
    case Op::kFloorDivide:
      return Value::real(floor_divide(a, b));
    case Op::kModulo:
      return Value::real(modulo(a, b));
    default:
      return Value::real(power(a, b));
  }
}

std::string_view symbol_of(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kFloorDivide:
      return "//";
    case Op::kModulo:
      return "%";
    default:
      return "**";
  }
}

Value repeat(Runtime& runtime, const Value& what, std::int64_t times) {
  if (what.is_string()) {
    TextBuilder out(runtime);
    out.repeat(what.text(), times);
    return runtime.string(out.take(), what.markup());
  }
  const Values& items = what.items();
  Values out;
  const std::uint64_t count = times > 0 ? static_cast<std::uint64_t>(times) : 0;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, items.size() * sizeof(Value), &bytes)) bytes = ~0ull;
  runtime.heap.expect(bytes);
  spend(static_cast<std::int64_t>(bytes / sizeof(Value)));
  out.reserve(count * items.size());
  for (std::uint64_t i = 0; i < count; ++i) out.insert(out.end(), items.begin(), items.end());
  return what.is(Kind::kList) ? runtime.list(std::move(out)) : runtime.tuple(std::move(out));
}

Value add_sequences(Runtime& runtime, const Value& a, const Value& b) {
  Values out;
  const std::size_t count = a.items().size() + b.items().size();
  runtime.heap.expect(count * sizeof(Value));
  spend(static_cast<std::int64_t>(count));
  out.reserve(count);
  out.insert(out.end(), a.items().begin(), a.items().end());
  out.insert(out.end(), b.items().begin(), b.items().end());
  return a.is(Kind::kList) ? runtime.list(std::move(out)) : runtime.tuple(std::move(out));
}

double real_of(const Value& value) {
  return value.is(Kind::kFloat)  ? value.real()
         : value.is(Kind::kHuge) ? static_cast<double>(value.huge())
                                 : static_cast<double>(value.integer());
}

}  // namespace

Value escape(Runtime& runtime, const Value& value) {
  if (value.is_string() && value.markup()) return value;
  return runtime.string(escape_html(to_text(runtime, value)), true);
}

Value concatenate(Runtime& runtime, const Value& a, const Value& b) {
  const bool markup = a.markup() || b.markup();
  const Value left = markup ? escape(runtime, a) : a;
  const Value right = markup ? escape(runtime, b) : b;
  runtime.heap.expect(left.text().size() + right.text().size());
  std::string out;
  out.reserve(left.text().size() + right.text().size());
  out += left.text();
  out += right.text();
  return runtime.string(std::move(out), markup);
}

Value arithmetic(Runtime& runtime, Op op, const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return integer_arithmetic(op, a.integer(), b.integer());
  if (op == Op::kModulo && a.is_string()) return format_percent(runtime, a, b);
  const bool huge = a.is(Kind::kHuge) || b.is(Kind::kHuge);
  const bool real = a.is(Kind::kFloat) || b.is(Kind::kFloat);
  if (a.is_number() && b.is_number() && (!huge || real))
    return real_arithmetic(op, real_of(a), real_of(b));
  if (op == Op::kAdd) {
    if (a.is_string() && b.is_string()) return concatenate(runtime, a, b);
    if (a.is_sequence() && a.kind() == b.kind()) return add_sequences(runtime, a, b);
  }
  if (op == Op::kMultiply) {
    if ((a.is_string() || a.is_sequence()) && b.is_integer())
      return repeat(runtime, a, b.integer());
    if ((b.is_string() || b.is_sequence()) && a.is_integer())
      return repeat(runtime, b, a.integer());
  }
  fail_operands(symbol_of(op), a, b);
}

Value negate(const Value& value, bool minus) {
  if (value.undefined()) fail_undefined(value);
  if (value.is(Kind::kFloat)) return Value::real(minus ? -value.real() : value.real());
  if (value.is(Kind::kHuge) && !minus) return value;
  if (!value.is_integer())
    fail("bad operand type for unary {}: '{}'", minus ? '-' : '+', type_name(value));
  return minus ? integer_arithmetic(Op::kSubtract, 0, value.integer())
               : Value::integer(value.integer());
}

bool less(const Value& a, const Value& b, std::string_view op) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b) < 0;
  if (a.is_string() && b.is_string()) {
    spend_bytes(std::min(a.text().size(), b.text().size()));
    return a.text() < b.text();
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const Values& x = a.items();
    const Values& y = b.items();
    spend(static_cast<std::int64_t>(std::min(x.size(), y.size())));
    for (std::size_t i = 0; i < x.size() && i < y.size(); ++i)
      if (!equal(x[i], y[i])) return less(x[i], y[i], op);
    return x.size() < y.size();
  }
  if (a.undefined()) fail_undefined(a);
  if (b.undefined()) fail_undefined(b);
  fail("'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b));
}

namespace {
bool is_nan(const Value& value) { return value.is(Kind::kFloat) && std::isnan(value.real()); }
}  // namespace

bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b) {
  switch (op) {
    case Comparison::kEqual:
      return equal(a, b);
    case Comparison::kNotEqual:
      return !equal(a, b);
    case Comparison::kLess:
      return less(a, b, "<");
    case Comparison::kGreater:
      return less(b, a, ">");
    case Comparison::kLessEqual:
      return !less(b, a, "<=") && !is_nan(a) && !is_nan(b);
    case Comparison::kGreaterEqual:
      return !less(a, b, ">=") && !is_nan(a) && !is_nan(b);
    case Comparison::kIn:
      return contains(runtime, b, a);
    case Comparison::kNotIn:
      return !contains(runtime, b, a);
  }
  return false;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string())
      fail("'in <string>' requires a string as left operand, not {}", type_name(item));
    return find_text(container.text(), item.text()) != std::string::npos;
  }
  if (container.is(Kind::kDict)) return container.as<Dict>().find(item) != nullptr;
  if (container.is(Kind::kView) && container.as<View>().what == View::What::kKeys)
    return container.as<View>().dict.as<Dict>().find(item) != nullptr;
  if (!is_iterable(container)) fail("argument of type '{}' is not iterable", type_name(container));
  Iterator it(runtime, container);
  for (Value other; it.next(other);)
    if (equal(other, item)) return true;
  return false;
}

std::int64_t to_index(const Value& value, std::string_view what) {
  if (value.is_integer()) return value.integer();
  if (value.undefined()) fail_undefined(value);
  fail("{} needs an integer, not a {}", what, type_name(value));
}

double to_real(const Value& value, std::string_view what) {
  if (value.is_number()) return real_of(value);
  if (value.undefined()) fail_undefined(value);
  fail("{} needs a number, not a {}", what, type_name(value));
}

namespace {

struct Bounds {
  std::int64_t start, stop, step, count;
};

std::int64_t slice_index(const Value& value, std::int64_t otherwise) {
  if (value.missing() || value.is_none()) return otherwise;
  if (!value.is_integer()) fail("slice indices must be integers or None, not {}", type_name(value));
  return value.integer();
}

// Python's PySlice_AdjustIndices.
Bounds slice_bounds(std::int64_t size, const Value& from, const Value& to, const Value& by) {
  const std::int64_t step = slice_index(by, 1);
  if (step == 0) fail("slice step cannot be zero");
  const std::int64_t low = step < 0 ? -1 : 0;
  const std::int64_t high = step < 0 ? size - 1 : size;
  const auto clamp = [&](std::int64_t index) {
    if (index < 0) index = index < -size ? low : index + size;
    return std::clamp(index, low, high);
  };
  const bool has_from = !from.missing() && !from.is_none();
  const bool has_to = !to.missing() && !to.is_none();
  const std::int64_t start = has_from ? clamp(slice_index(from, 0)) : (step < 0 ? high : low);
  const std::int64_t stop = has_to ? clamp(slice_index(to, 0)) : (step < 0 ? low : high);
  const std::int64_t span = step < 0 ? start - stop : stop - start;
  const std::uint64_t stride =
      step < 0 ? 0 - static_cast<std::uint64_t>(step) : static_cast<std::uint64_t>(step);
  const std::int64_t count =
      span <= 0 ? 0
                : static_cast<std::int64_t>((static_cast<std::uint64_t>(span) - 1) / stride) + 1;
  return {start, stop, step, count};
}

Value slice_string(Runtime& runtime, const Value& object, const Bounds& bounds) {
  const std::string& text = object.text();
  const auto start = static_cast<std::size_t>(bounds.start);
  const auto count = static_cast<std::size_t>(bounds.count);
  std::string out;
  if (count == 0) return runtime.string("", object.markup());
  if (bounds.step == 1) {
    const bool ascii = object.rep().ascii();
    const std::size_t begin = ascii ? start : byte_of_point(text, start);
    const std::size_t bytes =
        ascii ? count : byte_of_point(std::string_view(text).substr(begin), count);
    if (!ascii) spend_bytes(begin + bytes);
    out = text.substr(begin, bytes);
  } else {
    const std::u32string points = decode(text);
    spend_bytes(points.size());
    for (std::int64_t i = 0; i < bounds.count; ++i)
      append_point(out, points[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  }
  return runtime.string(std::move(out), object.markup());
}

}  // namespace

Value slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop,
            const Value& step) {
  if (object.undefined()) fail_undefined(object);
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange))
    fail("a {} cannot be sliced", type_name(object));
  const Bounds bounds = slice_bounds(length(object), start, stop, step);
  if (object.is_string()) return slice_string(runtime, object, bounds);
  if (object.is(Kind::kRange)) {
    const auto& range = object.as<Range>();
    auto* part = runtime.heap.make<Range>();
    part->start = range.at(bounds.start);
    part->stop = range.at(bounds.stop);
    part->step = static_cast<std::int64_t>(static_cast<std::uint64_t>(range.step) *
                                           static_cast<std::uint64_t>(bounds.step));
    part->length = bounds.count;
    return Value::object(Kind::kRange, part);
  }
  Values out;
  out.reserve(static_cast<std::size_t>(bounds.count));
  spend(bounds.count);
  for (std::int64_t i = 0; i < bounds.count; ++i)
    out.push_back(object.items()[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  return object.is(Kind::kList) ? runtime.list(std::move(out)) : runtime.tuple(std::move(out));
}

}  // namespace farthing::text::jinja
