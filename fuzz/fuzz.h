// What every fuzz target shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/cursor.h"
#include "core/error.h"

namespace farthing::fuzz {

inline ByteSpan bytes_of(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Bad input must end in an Error that the user is to blame for, and whose message is one printable
// line of bounded length. Anything else (another exception, an internal error) is a finding.
template <class F>
void expect_result_or_complaint(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    const std::string_view text = error.what();
    if (error.fault == Fault::kInternal || text.empty() || text.size() > 4096) __builtin_trap();
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20) __builtin_trap();
  }
}

}  // namespace farthing::fuzz
