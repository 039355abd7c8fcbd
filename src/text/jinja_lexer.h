// Template source to tokens, with trim_blocks and lstrip_blocks as transformers sets them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace farthing::text::jinja {

enum class Lexeme : std::uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  Lexeme type = Lexeme::kEnd;
  int line = 1;
  std::string text;  // data, name, operator, or the string's value without its escapes
  std::int64_t integer = 0;
  double real = 0;
};

// A template that cannot be read as one.
struct SyntaxError {
  std::string message;
  int line;
  bool unsupported = false;
};

// All tokens, the last of type kEnd. Throws SyntaxError. `source` is well-formed UTF-8.
std::vector<Token> tokenize(std::string_view source);

std::string describe(const Token& token);  // for messages

}  // namespace farthing::text::jinja
