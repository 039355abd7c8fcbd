// Which matrices an option of a step is for: "match: NAME", "match: re:...", or a list of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/setting.h"
#include "io/name_pattern.h"

namespace farthing::compress {

class Matches {
 public:
  Matches() = default;  // all
  // Error: bad input for an expression that does not compile.
  explicit Matches(const Setting& setting);

  bool is_all() const { return patterns_.empty(); }
  bool has(std::string_view base) const;
  const std::string& where() const { return where_; }
  std::string text() const;  // for messages

 private:
  std::string where_;
  std::vector<io::NamePattern> patterns_;
};

}  // namespace farthing::compress
