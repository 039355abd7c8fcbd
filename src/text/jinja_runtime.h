// What one rendering shares: its heap and limits, and Python's operations on values. Every function
// throws Failure where Python would raise.
#pragma once

#include <array>
#include <ctime>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "io/json.h"
#include "text/chat_template.h"
#include "text/jinja_ast.h"
#include "text/jinja_value.h"

namespace farthing::text::jinja {

struct Clock {
  std::tm time{};
  int microseconds = 0;
};

// "2026-11-23" is that day's midnight, "" is now. Failure: neither.
Clock read_clock(std::string_view date);

class Runtime {
 public:
  Runtime(const TemplateLimits& limits, const Clock& clock);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Values. Text that is given must be well-formed UTF-8.
  Value string(std::string text, bool markup = false);
  Value list(Values items);
  Value tuple(Values items);
  Value from_json(const Json& json, int depth = 0);
  // A generator that reads from `source`, which keeps its depth bounded.
  Value generator(const char* name, const Value& source, std::function<bool(Value&)> next);
  Value undefined(const Value& name) { return Value::undefined(Absence::kName, name); }
  Value hint(std::string text);                // an undefined value that says why
  void check_text(std::uint64_t bytes) const;  // Failure: longer than one text may be

  virtual Value call(const Value& callee, Arguments& arguments) = 0;

  Heap heap;
  TemplateLimits limits;
  Clock clock;

 protected:
  ~Runtime() = default;

 private:
  Budget budget_;
};

// Builds a text whose growth the heap sees.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;
  ~TextBuilder() { runtime_.heap.release(charged_); }

  TextBuilder& operator+=(std::string_view more) {
    if (more.size() > charged_ - text_.size()) grow(more.size());
    text_ += more;
    return *this;
  }
  TextBuilder& operator+=(char c) { return *this += std::string_view(&c, 1); }
  void repeat(std::string_view unit, std::int64_t times);
  std::size_t size() const { return text_.size(); }
  std::string take();

 private:
  void grow(std::uint64_t more);
  Runtime& runtime_;
  std::size_t charged_ = 0;  // bytes that the heap counts for us, at least text_.size()
  std::string text_;
};

// Steps through anything that Python can iterate over. Failure from the constructor otherwise.
class Iterator {
 public:
  Iterator(Runtime& runtime, const Value& value);
  bool next(Value& out);
  // How many items there are in all, where Python's len() knows it.
  std::optional<std::int64_t> size() const { return size_; }

 private:
  Runtime* runtime_;
  Value value_;
  std::size_t at_ = 0;
  std::optional<std::int64_t> size_;
};
bool is_iterable(const Value& value);
Values collect(Runtime& runtime, const Value& iterable);
void push(Runtime& runtime, Values& list, Value value);  // charges the heap

// Conversions.
bool truth(const Value& value);
std::string to_text(Runtime& runtime, const Value& value);  // str()
std::string to_repr(Runtime& runtime, const Value& value);  // repr()
Value to_string(Runtime& runtime, const Value& value);      // a str or Markup as it is
std::string to_json(Runtime& runtime, const Value& value, const Arguments& options);
std::int64_t to_index(const Value& value, std::string_view what);
double to_real(const Value& value, std::string_view what);
// float() and int() of a text; nullopt: it is not one.
std::optional<double> parse_real(std::string_view text);
std::optional<Value> parse_integer(std::string_view text, std::int64_t base);
Value integer_of(double number);  // int() of a float

// Operators.
Value arithmetic(Runtime& runtime, Op op, const Value& a, const Value& b);
Value negate(const Value& value, bool minus);
bool less(const Value& a, const Value& b, std::string_view op = "<");
bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b);
bool contains(Runtime& runtime, const Value& container, const Value& item);
std::int64_t length(const Value& value);
Value slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop,
            const Value& step);
Value concatenate(Runtime& runtime, const Value& a, const Value& b);  // two texts, escaping
Value escape(Runtime& runtime, const Value& value);

// `object.name` and `object[key]` in the sandbox.
Value get_attribute(Runtime& runtime, const Value& object, const Value& name);
Value get_item(Runtime& runtime, const Value& object, const Value& key);
bool has_attribute(Runtime& runtime, const Value& object, const Value& name);

// "%" and str.format.
Value format_percent(Runtime& runtime, const Value& pattern, const Value& values);
Value format_braces(Runtime& runtime, const Value& pattern, Arguments& arguments);
std::string format_value(Runtime& runtime, const Value& value, std::string_view spec);

// Tables. Null when there is no such name.
FilterFunction find_filter(std::string_view name);
TestFunction find_test(std::string_view name);
// A method of a text, list ...; missing when the type has none of this name.
Value find_method(Runtime& runtime, const Value& object, std::string_view name);
void add_globals(Runtime& runtime, const std::function<void(const char*, Value)>& add);
Value make_dict(Runtime& runtime, Arguments& arguments);
void set_item(Runtime& runtime, Dict& dict, const Value& key, Value value);
std::string strftime_of(const Clock& clock, std::string_view format);

// Arguments by position or name, checked as Python checks a call. A name of "" is positional only.
class Bound {
 public:
  Bound(std::string_view function, const Arguments& arguments,
        std::initializer_list<std::string_view> names, std::size_t required = 0);
  bool has(std::size_t i) const { return !values_[i].missing(); }
  const Value& operator[](std::size_t i) const { return values_[i]; }
  Value get(std::size_t i, const Value& otherwise) const { return has(i) ? values_[i] : otherwise; }
  std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
  bool flag(std::size_t i, bool otherwise = false) const;
  const std::string& text(std::size_t i) const;  // Failure: not a text
  bool given(std::size_t i) const { return has(i) && !values_[i].is_none(); }

 private:
  std::string_view function_;
  std::array<Value, 6> values_;
};

}  // namespace farthing::text::jinja
