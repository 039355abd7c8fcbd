#include "text/jinja_value.h"

#include <bit>
#include <cmath>

#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {
thread_local std::int64_t* steps_left = nullptr;
}

void spend(std::int64_t steps) {
  if (steps_left == nullptr) return;
  *steps_left -= steps;
  if (*steps_left < 0)
    fail("the template needs more steps than a rendering may take; does one of its loops end?");
}
Budget::Budget(std::int64_t steps) : outer_(steps_left), left_(steps) { steps_left = &left_; }
Budget::~Budget() { steps_left = outer_; }

void Heap::full() const {
  fail("the values of the template need more than the {} bytes that a rendering may use", limit_);
}

void Value::destroy(StringRep* rep) noexcept {
  rep->heap->release(rep->text.capacity() + sizeof(StringRep));
  delete rep;
}

Value constant_string(std::vector<std::unique_ptr<StringRep>>& owner, std::string text) {
  auto rep = std::make_unique<StringRep>();
  rep->length = count_points(text);
  rep->text = std::move(text);
  owner.push_back(std::move(rep));
  return Value::string(owner.back().get());
}

bool Value::same(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kNone:
      return true;
    case Kind::kUndefined:
    case Kind::kString:
      return as_.text == other.as_.text;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kHuge:
      return as_.integer == other.as_.integer;
    case Kind::kFloat:
      return std::bit_cast<std::uint64_t>(as_.real) == std::bit_cast<std::uint64_t>(other.as_.real);
    default:
      return as_.object == other.as_.object;
  }
}

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kHuge:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return "dict view";
    case Kind::kGenerator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kCallable:
      return "function";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
  }
  return "object";
}

std::string_view type_name(const Value& value) {
  if (value.is_string() && value.markup()) return "Markup";
  return type_name(value.kind());
}

std::string object_name(Kind kind) {
  if (kind == Kind::kNone) return "None";
  return std::string(type_name(kind)) + " object";
}

std::string undefined_message(const Value& undefined) {
  const std::string& name = undefined.text();
  switch (undefined.absence()) {
    case Absence::kName:
      return quote(name) + " is undefined";
    case Absence::kAttribute:
      return quote(object_name(undefined.owner())) + " has no attribute " + quote(name);
    case Absence::kElement:
      return object_name(undefined.owner()) + " has no element " + name;
    case Absence::kUnsafe:
      return "access to attribute " + quote(name) + " of '" +
             std::string(type_name(undefined.owner())) + "' object is unsafe";
    case Absence::kHint:
      break;
  }
  return name;
}

void fail_undefined(const Value& undefined) { fail("{}", undefined_message(undefined)); }

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  a = (a ^ b) * 0x9E3779B97F4A7C15u;
  return a ^ (a >> 32);
}

// True == 1 == 1.0 have one hash, as they are one key.
std::uint64_t hash_number(double number) {
  if (number == std::floor(number) && std::fabs(number) < 9.2e18)
    return mix(1, static_cast<std::uint64_t>(static_cast<std::int64_t>(number)));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  return mix(2, bits);
}

bool equal_sequences(const Values& a, const Values& b) {
  if (a.size() != b.size()) return false;
  spend(static_cast<std::int64_t>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal(a[i], b[i])) return false;
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.items.size() != b.items.size()) return false;
  spend(static_cast<std::int64_t>(a.items.size()));
  for (const auto& [key, value] : a.items) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal(value, *other)) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.length != b.length) return false;
  if (a.length == 0) return true;
  return a.start == b.start && (a.length == 1 || a.step == b.step);
}

// An integer against a float, exactly: a float of this size has no fraction.
template <class Integer>
std::partial_ordering order_exactly(Integer whole, double real) {
  constexpr double kTop = std::is_signed_v<Integer> ? 0x1p63 : 0x1p64;
  constexpr double kBottom = std::is_signed_v<Integer> ? -0x1p63 : 0;
  if (std::isnan(real)) return std::partial_ordering::unordered;
  if (real >= kTop) return std::partial_ordering::less;
  if (real < kBottom) return std::partial_ordering::greater;
  const double floor = std::floor(real);
  const auto below = static_cast<Integer>(floor);
  if (whole != below || floor == real) return whole <=> below;
  return std::partial_ordering::less;
}

std::partial_ordering reversed(std::partial_ordering order) { return 0 <=> order; }

}  // namespace

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() <=> b.integer();
  if (a.is(Kind::kFloat) && b.is(Kind::kFloat)) return a.real() <=> b.real();
  if (b.is(Kind::kFloat))
    return a.is(Kind::kHuge) ? order_exactly(a.huge(), b.real())
                             : order_exactly(a.integer(), b.real());
  if (a.is(Kind::kFloat)) return reversed(order_numbers(b, a));
  if (a.is(Kind::kHuge) && b.is(Kind::kHuge)) return a.huge() <=> b.huge();
  return a.is(Kind::kHuge) ? std::partial_ordering::greater : std::partial_ordering::less;
}

std::uint64_t hash_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return 3;
    case Kind::kNone:
      return 5;
    case Kind::kBool:
    case Kind::kInt:
      return mix(1, static_cast<std::uint64_t>(value.integer()));
    case Kind::kHuge:
      return hash_number(static_cast<double>(value.huge()));
    case Kind::kFloat:
      return hash_number(value.real());
    case Kind::kString:
      spend_bytes(value.text().size());
      return std::hash<std::string_view>()(value.text());
    case Kind::kTuple: {
      std::uint64_t hash = 7;
      spend(static_cast<std::int64_t>(value.items().size()));
      for (const Value& item : value.items()) hash = mix(hash, hash_of(item));
      return hash;
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      fail("unhashable type: '{}'", type_name(value));
    default:
      return mix(11, reinterpret_cast<std::uintptr_t>(value.object()));
  }
}

// Containers know their depth, so the recursion is bounded by kMaxNesting.
bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.text().size() != b.text().size()) return false;
      spend_bytes(a.text().size());
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      return a.object() == b.object() || equal_sequences(a.items(), b.items());
    case Kind::kDict:
      return a.object() == b.object() || equal_dicts(a.as<Dict>(), b.as<Dict>());
    case Kind::kRange:
      return equal_ranges(a.as<Range>(), b.as<Range>());
    default:
      return a.object() == b.object();
  }
}

template <class Same>
std::ptrdiff_t Dict::locate(std::uint64_t hash, const Same& same) const {
  if (slots_.empty()) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (same(items[i].first)) return static_cast<std::ptrdiff_t>(i);
    return -1;
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask; slots_[slot] >= 0; slot = (slot + 1) & mask) {
    const auto i = static_cast<std::size_t>(slots_[slot]);
    if (hashes_[i] == hash && same(items[i].first)) return slots_[slot];
  }
  return -1;
}

void Dict::rehash() {
  std::size_t size = 32;
  while (size < items.size() * 3) size *= 2;
  slots_.assign(size, -1);
  for (std::size_t i = hashes_.size(); i < items.size(); ++i)
    hashes_.push_back(hash_of(items[i].first));
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::size_t slot = hashes_[i] & (size - 1);
    while (slots_[slot] >= 0) slot = (slot + 1) & (size - 1);
    slots_[slot] = static_cast<std::int32_t>(i);
  }
}

const Value* Dict::find(const Value& key) const {
  const std::ptrdiff_t at =
      locate(hash_of(key), [&](const Value& other) { return equal(other, key); });
  return at < 0 ? nullptr : &items[static_cast<std::size_t>(at)].second;
}

const Value* Dict::find(std::string_view key) const {
  const std::ptrdiff_t at = locate(std::hash<std::string_view>()(key), [&](const Value& other) {
    return other.is_string() && other.text() == key;
  });
  return at < 0 ? nullptr : &items[static_cast<std::size_t>(at)].second;
}

void Dict::set(const Value& key, Value value) {
  const std::uint64_t hash = hash_of(key);
  const std::ptrdiff_t at = locate(hash, [&](const Value& other) { return equal(other, key); });
  if (at >= 0) {
    items[static_cast<std::size_t>(at)].second = std::move(value);
    return;
  }
  items.emplace_back(key, std::move(value));
  if (items.size() <= 8) return;
  if (slots_.empty() || items.size() * 2 > slots_.size()) return rehash();
  hashes_.push_back(hash);
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot] >= 0) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = static_cast<std::int32_t>(items.size() - 1);
}

}  // namespace farthing::text::jinja
