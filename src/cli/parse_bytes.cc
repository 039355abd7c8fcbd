#include "cli/parse_bytes.h"

#include <cctype>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "core/text.h"

namespace farthing::cli {

std::uint64_t parse_bytes(const std::string& text, std::string_view option) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string unit(end);
  std::erase(unit, ' ');
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (unit.size() == 2 && unit[1] == 'B') unit.pop_back();
  static const std::map<std::string, double> kUnits = {{"", 1},    {"B", 1},   {"K", 1e3},
                                                       {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  const auto factor = kUnits.find(unit);
  if (end == text.c_str() || factor == kUnits.end() || !(number > 0) ||
      number * factor->second > 1e18)
    usage_error("{} must be a size like 8GB or 500MB; got {}", option, printable(text));
  return static_cast<std::uint64_t>(number * factor->second);
}

}  // namespace farthing::cli
