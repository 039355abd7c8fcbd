// Walks the tree of a program, as the Python code does that Jinja makes of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/jinja_runtime.h"

namespace farthing::text::jinja {

// Names of one block. The outermost holds every symbol by number; the others have few.
struct Scope : Object {
  explicit Scope(Scope* p) : parent(p) {}
  Scope* parent;
  Values all;  // outermost only
  std::vector<std::pair<int, Value>> names;

  Value* find(int symbol);
  void set(int symbol, Value value);
};

class Interpreter final : public Runtime {
 public:
  Interpreter(const Program& program, const TemplateLimits& limits, const Clock& clock);

  void define(const std::string& name, Value value);
  std::string run();
  int line() const { return line_; }  // of the statement or call under way

  Value call(const Value& callee, Arguments& arguments) override;

  // For macros and recursive loops.
  Value invoke_macro(const MacroNode& macro, Scope* scope, Arguments& arguments);
  std::string run_loop(const ForNode& loop, Scope* scope, const Value& iterable, int depth);

 private:
  enum class Flow { kNormal, kBreak, kContinue };
  class ScopeHolder;
  class Capture;
  class Deeper;
  friend class Deeper;

  Flow run(const Nodes& statements);
  Flow run(const Node& statement);
  Flow run_if(const IfNode& node);
  Flow run_for(const ForNode& node);
  Flow iterate(const ForNode& node, const Value& iterable, int depth);
  void run_assign(const AssignNode& node);
  Flow run_assign_block(const AssignNode& node);
  Flow run_filter_block(const BlockNode& node);
  Flow run_with(const WithNode& node);
  void run_call_block(const CallBlockNode& node);
  Flow run_scope(const BlockNode& node);
  void print(const Nodes& items);
  void write(std::string_view text);
  void assign(const Node& target, const Value& value);
  void check_namespaces(const Node& target);

  Value evaluate(const Node& node);
  Value evaluate_name(const NameNode& node);
  Value evaluate_compare(const CompareNode& node);
  Value evaluate_concat(const ListNode& node);
  Value evaluate_dict(const ListNode& node);
  Value evaluate_sequence(const ListNode& node);
  Value evaluate_slice(const ListNode& node);
  Value evaluate_conditional(const ListNode& node);
  Value evaluate_call(const CallNode& node, const Value* caller = nullptr);
  Value evaluate_filter(const FilterNode& node, const Value* body);
  bool evaluate_test(const FilterNode& node);
  Value evaluate_binary(const ListNode& node);
  void evaluate_arguments(const CallArguments& nodes, Arguments& arguments);
  void bind_macro(const MacroNode& macro, Arguments& arguments);
  void bind_extras(const MacroNode& macro, Arguments& arguments, bool found_caller);

  const Program& program_;
  Scope* root_;
  Scope* scope_;
  std::string* out_;
  std::size_t open_bytes_ = 0;  // in all captures under way
  int line_ = 1;
  int calls_ = 0;
  int depth_ = 0;
  int loop_symbol_ = -1;  // of the name "loop", if the program has it
};

}  // namespace farthing::text::jinja
