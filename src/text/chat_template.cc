#include "text/chat_template.h"

#include "core/error.h"
#include "core/text.h"
#include "text/jinja_ast.h"
#include "text/jinja_interpreter.h"
#include "text/jinja_lexer.h"

namespace farthing::text {
namespace {

constexpr std::size_t kMaxSource = 4u << 20;

[[noreturn]] void fail_at(Fault fault, const std::string& where, int line,
                          const std::string& message) {
  throw Error(fault, fmt::format("{}, line {}: {}", where, line, printable(message, 1000)));
}

}  // namespace

struct ChatTemplate::Program {
  std::string where;
  std::unique_ptr<jinja::Program> parsed;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string_view where)
    : program_(std::make_unique<Program>()) {
  program_->where = printable(where, 200);
  if (source.size() > kMaxSource)
    bad_input("{}: a chat template may have up to {} bytes, this one has {}", program_->where,
              kMaxSource, source.size());
  if (!is_utf8(source)) bad_input("{}: a chat template must be UTF-8 text", program_->where);
  try {
    program_->parsed = jinja::parse(source);
  } catch (const jinja::SyntaxError& error) {
    fail_at(error.unsupported ? Fault::kUnsupported : Fault::kBadInput, program_->where, error.line,
            error.message);
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const Json& variables, std::string_view date,
                                 TemplateLimits limits) const {
  if (!variables.is_object()) bad_input("{}: the variables must be an object", program_->where);
  int line = 1;
  try {
    jinja::Interpreter interpreter(*program_->parsed, limits, jinja::read_clock(date));
    try {
      for (const auto& [name, value] : variables.items())
        if (program_->parsed->symbol_of.contains(name))
          interpreter.define(name, interpreter.from_json(value));
      return interpreter.run();
    } catch (...) {
      line = interpreter.line();
      throw;
    }
  } catch (const jinja::Failure& failure) {
    fail_at(failure.fault, program_->where, line, failure.message);
  }
}

}  // namespace farthing::text
