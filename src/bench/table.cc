#include "bench/table.h"

#include <fmt/core.h>

#include <algorithm>

namespace farthing::bench {

std::string bar(double fraction, int width) {
  const double inside = std::clamp(fraction, 0.0, 1.0);  // of a NaN: nothing
  const auto filled = inside > 0 ? static_cast<std::size_t>(inside * width + 0.5) : 0;
  return std::string(filled, '#') + std::string(static_cast<std::size_t>(width) - filled, ' ');
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(columns_[c].name.size());
    for (const auto& row : rows_) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  const auto line = [&](auto cell) {
    std::string out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) out += "  ";
      const std::string value = cell(c);
      const std::string space(widths[c] - value.size(), ' ');
      out += columns_[c].right ? space + value : value + space;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  line([&](std::size_t c) { return columns_[c].name; });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return text;
}

}  // namespace farthing::bench
