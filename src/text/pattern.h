// What a Split pre-tokenizer looks for in a text.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace farthing::text {

struct Match {
  std::size_t begin, end;  // bytes; may be empty
};

class Pattern {
 public:
  virtual ~Pattern() = default;
  // Appends all matches in order, none overlapping. `text` is valid UTF-8. Error: out of resources,
  // for a regular expression that needs too many steps.
  virtual void find(std::string_view text, std::vector<Match>& matches) const = 0;
};

std::unique_ptr<Pattern> make_literal_pattern(std::string_view literal);
// A hand-written scanner when the expression is a known one, else PCRE2 with a limit on steps.
// Error: unsupported, for an expression that PCRE2 does not take.
std::unique_ptr<Pattern> make_regex_pattern(std::string_view expression, std::string_view where);

// The hand-written scanner of an expression, null when it is unknown (scanners.cc), and the general
// one (regex.cc): apart so that tests can compare them.
std::unique_ptr<Pattern> make_scanner(std::string_view expression);
std::unique_ptr<Pattern> make_pcre_pattern(std::string_view expression, std::string_view where);

}  // namespace farthing::text
