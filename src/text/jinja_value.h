// The values of a template: what Python gives Jinja, held by a heap that counts every byte.
//
// Strings are counted references to immutable UTF-8 text. Everything else that has a size belongs
// to the heap and goes with it when the rendering ends, so cycles and chains cost no recursion.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace farthing::text::jinja {

// What Python would raise while a template runs. ChatTemplate adds the name and the line.
struct Failure {
  Fault fault = Fault::kBadInput;
  std::string message;
};
template <class... T>
[[noreturn]] void fail(fmt::format_string<T...> text, T&&... values) {
  throw Failure{Fault::kBadInput, fmt::format(text, std::forward<T>(values)...)};
}
template <class... T>
[[noreturn]] void refuse(fmt::format_string<T...> text, T&&... values) {
  throw Failure{Fault::kUnsupported, fmt::format(text, std::forward<T>(values)...)};
}

// Takes `steps` from what the rendering of this thread may still do. Failure when nothing is left.
void spend(std::int64_t steps);
// The same for work over a text.
inline void spend_bytes(std::size_t bytes) { spend(static_cast<std::int64_t>(bytes / 128)); }
// Points spend() at a counter while it lives.
class Budget {
 public:
  explicit Budget(std::int64_t steps);
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;
  ~Budget();

 private:
  std::int64_t* outer_;
  std::int64_t left_;
};

constexpr int kMaxNesting = 200;  // of containers and generators inside each other

struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  int depth = 1;  // 1 + the deepest thing inside, known at creation: containers do not change
};

// Owner of what one rendering makes. Failure when the bytes in use pass the limit.
class Heap {
 public:
  explicit Heap(std::size_t limit) : limit_(limit) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void charge(std::size_t bytes) {
    if (bytes > limit_ - used_) full();
    used_ += bytes;
  }
  void release(std::size_t bytes) { used_ -= bytes; }
  // Fails early for a text or list of that size without making it.
  void expect(std::uint64_t bytes) const {
    if (bytes > limit_ - used_) full();
  }
  template <class T, class... A>
  T* make(A&&... arguments) {
    charge(sizeof(T) + sizeof(void*));
    auto owned = std::make_unique<T>(std::forward<A>(arguments)...);
    T* raw = owned.get();
    objects_.push_back(std::move(owned));
    return raw;
  }

 private:
  [[noreturn]] void full() const;
  std::size_t limit_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<Object>> objects_;
};

// heap is null for the constants of a program, which outlive every rendering and are not counted:
// several threads may render one program at a time.
struct StringRep {
  std::string text;        // well-formed UTF-8
  std::size_t length = 0;  // code points
  std::size_t references = 0;
  Heap* heap = nullptr;
  bool ascii() const { return length == text.size(); }
};

enum class Kind : std::uint8_t {
  kMissing,  // no value at all: an argument that was not given, a name without a value
  kUndefined,
  kNone,
  kBool,
  kInt,
  kHuge,  // an integer above 2^63 - 1, only read and printed
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,
  kGenerator,
  kNamespace,
  kCallable,
  kLoop,
  kCycler,
};

// Why a value is undefined; the message is put together when it is needed.
enum class Absence : std::uint8_t { kName, kAttribute, kElement, kUnsafe, kHint };

struct List;
struct Dict;

class Value {
 public:
  Value() : Value(Kind::kMissing) {}
  Value(const Value& other) noexcept { take(other), hold(); }
  Value(Value&& other) noexcept {
    take(other);
    other.kind_ = Kind::kMissing;
  }
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Value() { drop(); }

  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool truth) {
    Value value(Kind::kBool);
    value.as_.integer = truth;
    return value;
  }
  static Value integer(std::int64_t number) {
    Value value(Kind::kInt);
    value.as_.integer = number;
    return value;
  }
  static Value huge(std::uint64_t number) {
    Value value(Kind::kHuge);
    value.as_.huge = number;
    return value;
  }
  static Value real(double number) {
    Value value(Kind::kFloat);
    value.as_.real = number;
    return value;
  }
  static Value string(StringRep* rep, bool markup = false) {
    Value value(Kind::kString);
    value.as_.text = rep;
    value.flag_ = markup;
    value.hold();
    return value;
  }
  static Value object(Kind kind, Object* object) {
    Value value(kind);
    value.as_.object = object;
    return value;
  }
  // `name` is a string value: the variable or attribute, or the hint itself.
  static Value undefined(Absence why, const Value& name, Kind owner = Kind::kMissing) {
    Value value = name;
    value.kind_ = Kind::kUndefined;
    value.flag_ = static_cast<std::uint8_t>(why);
    value.owner_ = owner;
    return value;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool missing() const { return kind_ == Kind::kMissing; }
  bool undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_integer() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat || kind_ == Kind::kHuge; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }

  std::int64_t integer() const { return as_.integer; }  // kBool and kInt
  std::uint64_t huge() const { return as_.huge; }
  double real() const { return as_.real; }
  const StringRep& rep() const { return *as_.text; }
  const std::string& text() const { return as_.text->text; }  // kString and kUndefined (the name)
  bool markup() const { return flag_ != 0; }
  Absence absence() const { return static_cast<Absence>(flag_); }
  Kind owner() const { return owner_; }
  Value with_markup(bool markup) const {
    Value value = *this;
    value.flag_ = markup;
    return value;
  }
  Object* object() const { return as_.object; }
  template <class T>
  T& as() const {
    return static_cast<T&>(*as_.object);
  }
  const std::vector<Value>& items() const;  // kList and kTuple

  // The same thing, as Python's `is` sees it.
  bool same(const Value& other) const;

 private:
  explicit Value(Kind kind) : kind_(kind) { as_.integer = 0; }
  bool counted() const {
    return (kind_ == Kind::kString || kind_ == Kind::kUndefined) && as_.text->heap != nullptr;
  }
  void take(const Value& other) noexcept {
    kind_ = other.kind_;
    flag_ = other.flag_;
    owner_ = other.owner_;
    as_ = other.as_;
  }
  void hold() noexcept {
    if (counted()) ++as_.text->references;
  }
  void drop() noexcept {
    if (counted() && --as_.text->references == 0) destroy(as_.text);
  }
  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(flag_, other.flag_);
    std::swap(owner_, other.owner_);
    std::swap(as_, other.as_);
  }
  static void destroy(StringRep* rep) noexcept;

  Kind kind_ = Kind::kMissing;
  std::uint8_t flag_ = 0;
  Kind owner_ = Kind::kMissing;
  union {
    std::int64_t integer;
    std::uint64_t huge;
    double real;
    StringRep* text;
    Object* object;
  } as_;
};

using Values = std::vector<Value>;

// A list or a tuple.
struct List : Object {
  explicit List(Values values) : items(std::move(values)) {}
  Values items;
  bool group = false;  // a tuple of `groupby`: its parts are also .grouper and .list
};

// Insertion order, with an index once it is large.
struct Dict : Object {
  std::vector<std::pair<Value, Value>> items;
  const Value* find(const Value& key) const;  // Failure: the key cannot be hashed
  const Value* find(std::string_view key) const;
  void set(const Value& key, Value value);  // the place of an existing key stays

 private:
  template <class Same>
  std::ptrdiff_t locate(std::uint64_t hash, const Same& same) const;
  void rehash();
  std::vector<std::int32_t> slots_;
  std::vector<std::uint64_t> hashes_;
};

struct Range : Object {
  std::int64_t start = 0, stop = 0, step = 1, length = 0;
  std::int64_t at(std::int64_t i) const {  // unsigned: the steps in between may pass 63 bits
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(start) +
                                     static_cast<std::uint64_t>(i) *
                                         static_cast<std::uint64_t>(step));
  }
};

struct View : Object {
  enum class What { kKeys, kValues, kItems };
  View(const Value& d, What w) : dict(d), what(w) {}
  Value dict;
  What what;
};

struct Generator : Object {
  std::function<bool(Value&)> next;  // false: exhausted
  const char* name = "generator";
};

struct Namespace : Object {
  Dict attributes;
};

struct Cycler : Object {
  Values items;
  std::size_t position = 0;
};

class Runtime;

struct Arguments {
  Values positional;
  std::vector<std::pair<Value, Value>> named;
};

struct Callable : Object {
  virtual Value call(Runtime& runtime, Arguments& arguments) = 0;
  virtual Value attribute(Runtime&, std::string_view) { return {}; }  // missing: has none
  virtual std::string repr() const { return "<function>"; }
};

std::uint64_t hash_of(const Value& value);  // Failure: lists and dicts have none
bool equal(const Value& a, const Value& b);
std::partial_ordering order_numbers(const Value& a, const Value& b);
std::string_view type_name(Kind kind);           // "dict", as Python calls it
std::string_view type_name(const Value& value);  // also "Markup"
std::string object_name(Kind kind);              // "dict object", for messages
std::string undefined_message(const Value& undefined);
[[noreturn]] void fail_undefined(const Value& undefined);

// A constant that lives as long as `owner`.
Value constant_string(std::vector<std::unique_ptr<StringRep>>& owner, std::string text);

inline const std::vector<Value>& Value::items() const { return as<List>().items; }

}  // namespace farthing::text::jinja
