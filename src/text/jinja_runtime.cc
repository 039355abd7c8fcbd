#include "text/jinja_runtime.h"

#include <chrono>

#include "core/text.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {

Clock read_clock(std::string_view date) {
  Clock clock;
  if (date.empty()) {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    localtime_r(&seconds, &clock.time);
    const auto passed =
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
    clock.microseconds = static_cast<int>(passed.count() % 1'000'000);
    return clock;
  }
  const std::string text(date);
  const char* end = strptime(text.c_str(), "%Y-%m-%d", &clock.time);
  if (end == nullptr || *end != '\0')
    usage_error("the date '{}' is not a day like 2026-11-23", printable(date));
  clock.time.tm_isdst = -1;
  std::tm checked = clock.time;
  if (std::mktime(&checked) == -1 || checked.tm_mday != clock.time.tm_mday)
    usage_error("the date '{}' is not in the calendar", printable(date));
  return clock;
}

// Python gives %f itself and knows no zone for a naive time; the rest is the C library's.
std::string strftime_of(const Clock& clock, std::string_view format) {
  std::string pattern;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '\0') continue;
    pattern += format[i];
    if (format[i] != '%' || i + 1 == format.size()) continue;
    const char code = format[++i];
    if (code == 'f' || code == 'z' || code == 'Z') {
      pattern.pop_back();
      if (code == 'f') pattern += fmt::format("{:06d}", clock.microseconds);
    } else {
      pattern += code;
    }
  }
  if (pattern.size() > 1000) fail("the format of strftime_now is longer than 1000 bytes");
  std::string out(pattern.size() * 64 + 256, '\0');
  out.resize(std::strftime(out.data(), out.size(), pattern.c_str(), &clock.time));
  return out;
}

Runtime::Runtime(const TemplateLimits& l, const Clock& c)
    : heap(l.memory_bytes), limits(l), clock(c), budget_(l.steps) {}

Value Runtime::string(std::string text, bool markup) {
  spend_bytes(text.size());
  check_text(text.size());
  auto rep = std::make_unique<StringRep>();
  rep->length = count_points(text);
  rep->text = std::move(text);
  rep->heap = &heap;
  heap.charge(rep->text.capacity() + sizeof(StringRep));
  return Value::string(rep.release(), markup);
}

// Some methods take several times the memory of their text for a moment.
void Runtime::check_text(std::uint64_t bytes) const {
  if (bytes > limits.memory_bytes / 8)
    fail("a text of the template would have more than {} bytes", limits.memory_bytes / 8);
}

namespace {

int depth_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kGenerator:
      return value.object()->depth;
    default:
      return 0;
  }
}

int depth_above(int deepest) {
  if (deepest >= kMaxNesting) fail("values are nested more than {} levels deep", kMaxNesting);
  return deepest + 1;
}

List* make_list(Runtime& runtime, Values items) {
  runtime.heap.charge(items.capacity() * sizeof(Value));
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, depth_of(item));
  List* list = runtime.heap.make<List>(std::move(items));
  list->depth = depth_above(deepest);
  return list;
}

}  // namespace

Value Runtime::list(Values items) {
  return Value::object(Kind::kList, make_list(*this, std::move(items)));
}
Value Runtime::tuple(Values items) {
  return Value::object(Kind::kTuple, make_list(*this, std::move(items)));
}

Value Runtime::generator(const char* name, const Value& source, std::function<bool(Value&)> next) {
  auto* made = heap.make<Generator>();
  heap.charge(128);  // what the function holds
  made->name = name;
  made->next = std::move(next);
  made->depth = depth_above(depth_of(source));
  return Value::object(Kind::kGenerator, made);
}

Value Runtime::hint(std::string text) {
  return Value::undefined(Absence::kHint, string(std::move(text)));
}

void set_item(Runtime& runtime, Dict& dict, const Value& key, Value value) {
  runtime.heap.charge(sizeof(Value) * 3);
  dict.depth = std::max(dict.depth, depth_above(std::max(depth_of(key), depth_of(value))));
  dict.set(key, std::move(value));
}

Value Runtime::from_json(const Json& json, int depth) {
  if (depth > kMaxNesting) fail("the variables are nested more than {} levels deep", kMaxNesting);
  switch (json.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return Value::none();
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      return number >> 63 != 0 ? Value::huge(number)
                               : Value::integer(static_cast<std::int64_t>(number));
    }
    case Json::value_t::number_float:
      return Value::real(json.get<double>());
    case Json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      if (!is_utf8(text)) fail("the text '{}' of the variables is not UTF-8", printable(text));
      return string(text);
    }
    case Json::value_t::array: {
      Values items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(from_json(item, depth + 1));
      return list(std::move(items));
    }
    case Json::value_t::object: {
      auto* dict = heap.make<Dict>();
      for (const auto& [key, item] : json.items())
        set_item(*this, *dict, from_json(Json(key)), from_json(item, depth + 1));
      return Value::object(Kind::kDict, dict);
    }
    case Json::value_t::binary:
      break;
  }
  fail("binary data cannot be a variable of a template");
}

void TextBuilder::grow(std::uint64_t more) {
  std::uint64_t needed = 0;
  if (__builtin_add_overflow(text_.size(), more, &needed)) needed = ~0ull;
  runtime_.check_text(needed);
  const auto room = static_cast<std::size_t>(needed + needed / 2 + 64);
  runtime_.heap.charge(room - charged_);
  charged_ = room;
}

std::string TextBuilder::take() {
  runtime_.heap.release(std::exchange(charged_, 0));
  return std::move(text_);
}

void TextBuilder::repeat(std::string_view unit, std::int64_t times) {
  if (times <= 0 || unit.empty()) return;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(times), unit.size(), &bytes)) bytes = ~0ull;
  if (bytes > charged_ - text_.size()) grow(bytes);
  if (unit.size() == 1) {
    text_.append(static_cast<std::size_t>(times), unit[0]);
    return;
  }
  for (std::int64_t i = 0; i < times; ++i) text_ += unit;
}

void push(Runtime& runtime, Values& list, Value value) {
  spend(1);
  if (list.size() == list.capacity()) {
    const std::size_t more = std::max<std::size_t>(8, list.capacity());
    runtime.heap.charge(more * sizeof(Value));
    list.reserve(list.capacity() + more);
  }
  list.push_back(std::move(value));
}

Bound::Bound(std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names, std::size_t required)
    : function_(function) {
  if (arguments.positional.size() > names.size())
    fail("{} takes at most {} arguments, {} were given", function, names.size(),
         arguments.positional.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    values_[i] = arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    std::size_t i = 0;
    for (const std::string_view known : names) {
      if (!known.empty() && known == name.text()) break;
      ++i;
    }
    if (i == names.size()) fail("{} has no argument called '{}'", function, printable(name.text()));
    if (has(i)) fail("{} got its argument '{}' twice", function, printable(name.text()));
    values_[i] = value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (!has(i)) fail("{} needs {} argument(s)", function, required);
}

std::int64_t Bound::integer(std::size_t i, std::int64_t otherwise) const {
  return has(i) ? to_index(values_[i], function_) : otherwise;
}
bool Bound::flag(std::size_t i, bool otherwise) const {
  return has(i) ? truth(values_[i]) : otherwise;
}
const std::string& Bound::text(std::size_t i) const {
  if (!values_[i].is_string()) fail("{} needs a text, not a {}", function_, type_name(values_[i]));
  return values_[i].text();
}

}  // namespace farthing::text::jinja
