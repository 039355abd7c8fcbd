// Recursive descent over the tokens; the grammar and its oddities are Jinja's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_ast.h"
#include "text/jinja_lexer.h"

namespace farthing::text::jinja {

class Parser {
 public:
  explicit Parser(std::string_view source);
  std::unique_ptr<Program> run();

 private:
  // What a macro's body has been seen to read or to hide of the names that Jinja adds.
  struct MacroNames {
    bool caller = false, varargs = false, kwargs = false;
    bool hidden_caller = false, hidden_varargs = false, hidden_kwargs = false;
  };
  enum class Targets { kAny, kNames, kNamespaces };
  class Deeper;

  // tokens
  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next();
  bool is_op(std::string_view op) const;
  bool is_name(std::string_view name) const;
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect_name(std::string_view name);
  std::string expect_identifier();
  void expect(Lexeme type, std::string_view what);
  [[noreturn]] void error(std::string message, int line = 0) const;
  [[noreturn]] void unsupported_tag(std::string_view tag, std::string_view why) const;

  // nodes
  template <class T>
  T* make(Op op, int line);
  template <class T>
  T* grow(T* node, const Node* child);  // accounts for the child's depth
  template <class T>
  T* grow(T* node, const Nodes& children);
  Value text(std::string value) { return constant_string(program_->strings, std::move(value)); }
  const Node* constant(Value value, int line);
  const Node* binary(Op op, const Node* left, const Node* right, int line);
  const NameNode* name_node(const std::string& name, int line);
  void note_read(const std::string& name);
  void note_store(const std::string& name, int line);

  // expressions
  const Node* expression() { return conditional(); }
  const Node* conditional();
  const Node* or_expression();
  const Node* and_expression();
  const Node* not_expression();
  const Node* comparison();
  bool comparison_operator(Comparison& op);
  const Node* sum();
  const Node* concatenation();
  const Node* product();
  const Node* power();
  const Node* unary(bool with_filter = true);
  const Node* primary();
  const Node* name_or_constant();
  const Node* list_literal();
  const Node* dict_literal();
  const Node* tuple(bool with_conditional, bool parentheses);
  bool tuple_ends() const;
  const Node* postfix(const Node* node);
  const Node* filters_and_tests(const Node* node);
  const Node* subscript(const Node* node);
  const Node* subscript_part(const Node* object);
  const Node* call(const Node* callee);
  CallArguments call_arguments();
  int arguments_depth(const CallArguments& arguments) const;
  const Node* filter(const Node* input, bool first_given);
  const Node* one_filter(const Node* input);
  const Node* test(const Node* input);

  // statements
  void statements(Body& body, std::initializer_list<std::string_view> ends);
  bool at_end_tag(std::initializer_list<std::string_view> ends) const;
  [[noreturn]] void unclosed(std::initializer_list<std::string_view> ends) const;
  void output(Body& body);
  Body block_body(std::initializer_list<std::string_view> ends);
  const Node* statement();
  const Node* if_statement();
  const Node* for_statement();
  const Node* set_statement();
  const Node* with_statement();
  const Node* macro_statement();
  const Node* call_statement();
  const Node* filter_statement();
  const Node* generation_statement();
  const Node* block_statement();
  const Node* print_statement();
  const Node* loop_control();
  void signature(MacroNode* macro);
  void macro_body(MacroNode* macro, std::string_view end);
  const Node* target(Targets allowed);
  const Node* target_part(Targets allowed);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  int nesting_ = 0;
  bool soft_ = false;                 // inside an `if`, where an unknown filter may stay unknown
  std::vector<SyntaxError> unknown_;  // filters and tests that do not exist
  int loops_ = 0;                     // `for` loops around, for the check of assignments to "loop"
  bool breakable_ = false;            // a `for` loop of the same macro is around
  int closures_ = 0;
  std::vector<MacroNames> macros_;
  std::vector<std::string> open_tags_;
};

}  // namespace farthing::text::jinja
