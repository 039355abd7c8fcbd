// The only way to read bytes of a file: every step is checked against what is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace farthing {

using ByteSpan = std::span<const std::byte>;

// a * b and a + b, or a bad-input Error that names `what` when the result does not fit 64 bits.
inline std::uint64_t checked_multiply(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) bad_input("{}: size overflows 64 bits", what);
  return product;
}
inline std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) bad_input("{}: size overflows 64 bits", what);
  return sum;
}

class Cursor {
 public:
  // `where` (a file name, for messages) is borrowed.
  Cursor(ByteSpan bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::string_view where() const { return where_; }

  // The next `count` bytes. Error: bad input when fewer are left.
  ByteSpan take(std::uint64_t count, std::string_view what) {
    if (count > remaining())
      bad_input("{}: {} at byte {} needs {} bytes, the file has {} left; is it complete?", where_,
                what, position_, count, remaining());
    const ByteSpan taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return taken;
  }

  // A little-endian number.
  template <class T>
  T read(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view text(std::uint64_t length, std::string_view what) {
    const ByteSpan taken = take(length, what);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

 private:
  ByteSpan bytes_;
  std::string_view where_;
  std::size_t position_ = 0;
};

}  // namespace farthing
