// A pull reader of JSON text, for the two big tables of a tokenizer.json: they go straight into the
// final tables, ten times faster than by way of a tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace farthing::text {

// Every function throws bad input that names line and column where the text is not what it asks
// for.
class JsonScanner {
 public:
  JsonScanner(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  char peek();  // the next character that is not blank, '\0' at the end
  bool accept(char c);
  void expect(char c);
  // Between the members of an array or object: true after a comma, false (and past it) at `close`.
  bool more(char close);
  // A string's text, checked to be UTF-8; valid until the next call.
  std::string_view string();
  std::int64_t integer();
  double number();
  // Passes over a value and returns its text.
  std::string_view skip(int depth = 64);
  std::size_t position() const { return at_; }
  void expect_end();
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  void escape();
  std::uint32_t hex4();
  std::string_view text_, where_;
  std::size_t at_ = 0;
  std::string unescaped_;
};

}  // namespace farthing::text
