// The one error type. A message is one sentence: what, the rule, what was found, what to do.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace farthing {

// The value is the process's exit code (docs: command-line contract).
enum class Fault {
  kInternal = 1,
  kUsage = 2,
  kBadInput = 3,     // unreadable or malformed file, text, option value from a file
  kUnsupported = 4,  // well-formed, but not something Farthing does
  kResources = 5,    // not enough memory or disk
  kInterrupted = 130,
};

class Error : public std::runtime_error {
 public:
  Error(Fault kind, const std::string& text) : std::runtime_error(text), fault(kind) {}
  Fault fault;
};

template <class... T>
[[noreturn]] void bad_input(fmt::format_string<T...> text, T&&... values) {
  throw Error(Fault::kBadInput, fmt::format(text, std::forward<T>(values)...));
}
template <class... T>
[[noreturn]] void unsupported(fmt::format_string<T...> text, T&&... values) {
  throw Error(Fault::kUnsupported, fmt::format(text, std::forward<T>(values)...));
}
template <class... T>
[[noreturn]] void out_of_resources(fmt::format_string<T...> text, T&&... values) {
  throw Error(Fault::kResources, fmt::format(text, std::forward<T>(values)...));
}
template <class... T>
[[noreturn]] void usage_error(fmt::format_string<T...> text, T&&... values) {
  throw Error(Fault::kUsage, fmt::format(text, std::forward<T>(values)...));
}

}  // namespace farthing
