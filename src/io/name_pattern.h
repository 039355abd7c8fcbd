// Which modules a rule is for, in the words of compressed-tensors: "re:" and a regular expression
// that must match from the start of the name (as Python's re.match), or the exact name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace farthing::io {

class NamePattern {
 public:
  // Error: bad input naming `where`, for an expression that does not compile.
  NamePattern(std::string_view target, std::string_view where);
  ~NamePattern();
  NamePattern(NamePattern&&) noexcept;
  NamePattern& operator=(NamePattern&&) noexcept;

  // Error: unsupported, when the expression needs too many steps on this name.
  bool matches(std::string_view name) const;
  bool is_exact() const { return regex_ == nullptr; }
  const std::string& text() const { return text_; }  // as given, "re:" included

 private:
  struct Regex;
  std::string text_;
  std::unique_ptr<Regex> regex_;
};

}  // namespace farthing::io
