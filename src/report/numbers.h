// How a page writes numbers.
#pragma once

#include <fmt/core.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "core/text.h"

namespace farthing::report {

// Three significant digits: "0.0123", "1.23", "123", "12300".
inline std::string short_number(double x) {
  if (x == 0) return "0";
  const int digits = std::max(0, 2 - static_cast<int>(std::floor(std::log10(std::abs(x)))));
  return digits > 8 ? fmt::format("{:.2e}", x) : fmt::format("{:.{}f}", x, digits);
}
inline std::string percent(double share, int digits = 1) {
  return fmt::format("{:.{}f} %", 100 * share, digits);
}
inline std::string bytes_text(double bytes) {
  return bytes >= 0 && bytes < 1e18 ? human_bytes(static_cast<std::uint64_t>(bytes)) : "";
}
inline std::string grouped(double n) {  // "12 345", whole
  std::string digits = fmt::format("{:.0f}", n), out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') out += "\u202f";
    out += digits[i];
  }
  return out;
}

// At most so many bytes of UTF-8, whole characters only.
inline std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  text.resize(limit);
  return text;
}

}  // namespace farthing::report
