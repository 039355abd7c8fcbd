// Statements, macros and loops.
#include <algorithm>

#include "text/jinja_interpreter.h"
#include "text/jinja_loop.h"
#include "text/jinja_scope.h"

namespace farthing::text::jinja {

Value* Scope::find(int symbol) {
  if (parent == nullptr) return &all[static_cast<std::size_t>(symbol)];
  for (auto& [name, value] : names)
    if (name == symbol) return &value;
  return nullptr;
}

void Scope::set(int symbol, Value value) {
  if (Value* place = find(symbol))
    *place = std::move(value);
  else
    names.emplace_back(symbol, std::move(value));
}

namespace {

struct Macro final : Callable {
  Macro(Interpreter& i, const MacroNode& n, Scope* s) : interpreter(i), node(n), scope(s) {}
  Value call(Runtime&, Arguments& arguments) override {
    return interpreter.invoke_macro(node, scope, arguments);
  }
  Value attribute(Runtime& runtime, std::string_view name) override {
    if (name == "name") return node.name.missing() ? Value::none() : node.name;
    if (name == "catch_kwargs") return Value::boolean(node.kwargs >= 0);
    if (name == "catch_varargs") return Value::boolean(node.varargs >= 0);
    if (name == "caller") return Value::boolean(node.caller >= 0);
    if (name == "explicit_caller") return Value::boolean(node.explicit_caller);
    if (name != "arguments") return {};
    Values names;
    for (const NameNode* parameter : node.parameters) names.push_back(parameter->name);
    return runtime.tuple(std::move(names));
  }
  std::string repr() const override {
    return node.name.missing() ? "<Macro anonymous>" : "<Macro '" + node.name.text() + "'>";
  }
  Interpreter& interpreter;
  const MacroNode& node;
  Scope* scope;
};

}  // namespace

Interpreter::Interpreter(const Program& program, const TemplateLimits& l, const Clock& c)
    : Runtime(l, c), program_(program), root_(heap.make<Scope>(nullptr)), scope_(root_) {
  root_->all.resize(program.symbols.size());
  if (const auto loop = program.symbol_of.find("loop"); loop != program.symbol_of.end())
    loop_symbol_ = loop->second;
  add_globals(*this, [&](const char* name, Value value) { define(name, std::move(value)); });
}

void Interpreter::define(const std::string& name, Value value) {
  if (const auto at = program_.symbol_of.find(name); at != program_.symbol_of.end())
    root_->all[static_cast<std::size_t>(at->second)] = std::move(value);
}

std::string Interpreter::run() {
  std::string out;
  out_ = &out;
  run(program_.body.statements);
  return out;
}

void Interpreter::write(std::string_view text) {
  spend_bytes(text.size());
  open_bytes_ += text.size();
  if (open_bytes_ > limits.output_bytes)
    fail("the output is longer than the {} bytes that are allowed", limits.output_bytes);
  out_->append(text);
}

Interpreter::Flow Interpreter::run(const Nodes& statements) {
  for (const Node* statement : statements)
    if (const Flow flow = run(*statement); flow != Flow::kNormal) return flow;
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const Node& node) {
  const Deeper deeper(*this);
  spend(1);
  line_ = node.line;
  switch (node.op) {
    case Op::kOutput:
      print(static_cast<const ListNode&>(node).items);
      return Flow::kNormal;
    case Op::kIf:
      return run_if(static_cast<const IfNode&>(node));
    case Op::kFor:
      return run_for(static_cast<const ForNode&>(node));
    case Op::kAssign:
      run_assign(static_cast<const AssignNode&>(node));
      return Flow::kNormal;
    case Op::kAssignBlock:
      return run_assign_block(static_cast<const AssignNode&>(node));
    case Op::kMacro: {
      const auto& macro = static_cast<const MacroNode&>(node);
      scope_->set(macro.symbol,
                  Value::object(Kind::kCallable, heap.make<Macro>(*this, macro, scope_)));
      return Flow::kNormal;
    }
    case Op::kCallBlock:
      run_call_block(static_cast<const CallBlockNode&>(node));
      return Flow::kNormal;
    case Op::kFilterBlock:
      return run_filter_block(static_cast<const BlockNode&>(node));
    case Op::kWith:
      return run_with(static_cast<const WithNode&>(node));
    case Op::kScope:
      return run_scope(static_cast<const BlockNode&>(node));
    case Op::kBreak:
      return Flow::kBreak;
    case Op::kContinue:
      return Flow::kContinue;
    default:
      return Flow::kNormal;  // expressions are no statements
  }
}

void Interpreter::print(const Nodes& items) {
  for (const Node* item : items) {
    if (item->op == Op::kConstant) {
      const Value& value = static_cast<const ConstantNode&>(*item).value;
      if (value.is_string()) {
        write(value.text());
        continue;
      }
    }
    line_ = item->line;
    const Value value = evaluate(*item);
    if (value.is_string())
      write(value.text());
    else
      write(to_text(*this, value));
  }
}

Interpreter::Flow Interpreter::run_if(const IfNode& node) {
  for (const auto& [test, body] : node.branches) {
    line_ = test->line;
    if (truth(evaluate(*test))) return run(body.statements);
  }
  return run(node.otherwise.statements);
}

Interpreter::Flow Interpreter::run_for(const ForNode& node) {
  const Value iterable = evaluate(*node.iterable);
  if (!node.recursive) return iterate(node, iterable, 0);
  write(run_loop(node, scope_, iterable, 0));
  return Flow::kNormal;
}

std::string Interpreter::run_loop(const ForNode& loop, Scope* scope, const Value& iterable,
                                  int depth) {
  if (depth >= limits.depth) fail("a loop calls itself more than {} levels deep", limits.depth);
  Capture capture(*this);
  const ScopeHolder holder(*this, true, scope);
  iterate(loop, iterable, depth);
  return capture.take();
}

Interpreter::Flow Interpreter::iterate(const ForNode& node, const Value& iterable, int depth) {
  Scope* outer = scope_;
  std::function<bool(const Value&)> keep;
  if (node.test != nullptr)
    keep = [this, &node, outer](const Value& item) {
      const ScopeHolder holder(*this, false, outer);
      assign(*node.target, item);
      return truth(evaluate(*node.test));
    };
  auto* loop = heap.make<Loop>(*this, iterable, std::move(keep));
  loop->depth0 = depth;
  if (node.recursive) loop->recurse = &node;
  loop->scope = outer;
  bool completed = false;  // Jinja asks whether a turn has come to its end
  {
    ScopeHolder holder(*this, node.body.closures, outer);
    for (Value item; loop->next(item); holder.renew()) {
      if (loop_symbol_ >= 0) scope_->set(loop_symbol_, Value::object(Kind::kLoop, loop));
      assign(*node.target, item);
      const Flow flow = run(node.body.statements);
      if (flow == Flow::kBreak) break;
      completed |= flow == Flow::kNormal;
    }
  }
  if (completed || node.otherwise.statements.empty()) return Flow::kNormal;
  const ScopeHolder holder(*this, node.otherwise.closures, outer);
  return run(node.otherwise.statements);
}

void Interpreter::check_namespaces(const Node& target) {
  if (target.op == Op::kTuple)
    for (const Node* part : static_cast<const ListNode&>(target).items) check_namespaces(*part);
  if (target.op != Op::kNamespaceTarget) return;
  if (!evaluate_name(static_cast<const NameNode&>(target)).is(Kind::kNamespace))
    fail("cannot assign attribute on non-namespace object");
}

void Interpreter::assign(const Node& target, const Value& value) {
  if (target.op == Op::kName)
    return scope_->set(static_cast<const NameNode&>(target).symbol, value);
  if (target.op == Op::kNamespaceTarget) {
    const auto& name = static_cast<const NameNode&>(target);
    if (name.attribute.text().starts_with('_'))
      fail("a namespace cannot have the attribute '{}': its name begins with an underscore",
           name.attribute.text());
    auto& attributes = evaluate_name(name).as<Namespace>().attributes;
    return set_item(*this, attributes, name.attribute, value);
  }
  const Nodes& parts = static_cast<const ListNode&>(target).items;
  Iterator it(*this, value);
  Value item;
  Values items;
  while (items.size() <= parts.size() && it.next(item)) items.push_back(item);
  if (items.size() > parts.size()) fail("too many values to unpack (expected {})", parts.size());
  if (items.size() < parts.size())
    fail("not enough values to unpack (expected {}, got {})", parts.size(), items.size());
  for (std::size_t i = 0; i < parts.size(); ++i) assign(*parts[i], items[i]);
}

void Interpreter::run_assign(const AssignNode& node) {
  check_namespaces(*node.target);
  assign(*node.target, evaluate(*node.value));
}

Interpreter::Flow Interpreter::run_assign_block(const AssignNode& node) {
  Scope* outer = scope_;
  Value value;
  {
    const ScopeHolder holder(*this, node.body.closures, outer);
    Capture capture(*this);
    if (const Flow flow = run(node.body.statements); flow != Flow::kNormal) return flow;
    value = string(capture.take());
    if (node.filter != nullptr)
      value = evaluate_filter(static_cast<const FilterNode&>(*node.filter), &value);
  }
  check_namespaces(*node.target);
  assign(*node.target, value);
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run_filter_block(const BlockNode& node) {
  const ScopeHolder holder(*this, node.body.closures, scope_);
  Capture capture(*this);
  if (const Flow flow = run(node.body.statements); flow != Flow::kNormal) return flow;
  const Value body = string(capture.take());
  const Value result = evaluate_filter(static_cast<const FilterNode&>(*node.filter), &body);
  if (!result.is_string())
    fail("the filter of a block must give a text, not a {}", type_name(result));
  write(result.text());
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run_with(const WithNode& node) {
  Scope* outer = scope_;
  Values values;
  for (const auto& [target, value] : node.bindings) values.push_back(evaluate(*value));
  const ScopeHolder holder(*this, node.body.closures, outer);
  for (std::size_t i = 0; i < values.size(); ++i) assign(*node.bindings[i].first, values[i]);
  return run(node.body.statements);
}

Interpreter::Flow Interpreter::run_scope(const BlockNode& node) {
  const ScopeHolder holder(*this, node.body.closures, node.isolated ? root_ : scope_);
  return run(node.body.statements);
}

void Interpreter::run_call_block(const CallBlockNode& node) {
  const Value caller = Value::object(Kind::kCallable, heap.make<Macro>(*this, *node.macro, scope_));
  const Value result = evaluate_call(*node.call, &caller);
  if (!result.is_string()) fail("a call block needs a text, not a {}", type_name(result));
  write(result.text());
}

Value Interpreter::invoke_macro(const MacroNode& macro, Scope* scope, Arguments& arguments) {
  if (calls_ >= limits.depth) fail("macros call each other more than {} levels deep", limits.depth);
  ++calls_;
  struct Leave {
    int& calls;
    ~Leave() { --calls; }
  } leave{calls_};
  const ScopeHolder holder(*this, macro.body.closures, scope);
  bind_macro(macro, arguments);
  Capture capture(*this);
  run(macro.body.statements);
  return string(capture.take());
}

// Jinja's Macro.__call__, then the defaults, which see the parameters before them.
void Interpreter::bind_macro(const MacroNode& macro, Arguments& arguments) {
  const std::size_t count = macro.parameters.size();
  const std::size_t given = std::min(arguments.positional.size(), count);
  Values values(arguments.positional.begin(),
                arguments.positional.begin() + static_cast<std::ptrdiff_t>(given));
  values.resize(count);
  bool found_caller = given == count && macro.explicit_caller;
  for (std::size_t i = given; i < count; ++i) {
    const std::string& name = macro.parameters[i]->name.text();
    found_caller |= name == "caller";
    spend(static_cast<std::int64_t>(arguments.named.size()));
    const auto at = std::find_if(arguments.named.begin(), arguments.named.end(),
                                 [&](const auto& named) { return named.first.text() == name; });
    if (at == arguments.named.end()) continue;
    values[i] = at->second;
    arguments.named.erase(at);
  }
  bind_extras(macro, arguments, found_caller);
  for (std::size_t i = 0; i < count; ++i) scope_->set(macro.parameters[i]->symbol, values[i]);
  const std::size_t without = count - macro.defaults.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!values[i].missing()) continue;
    const Value& name = macro.parameters[i]->name;
    scope_->set(macro.parameters[i]->symbol,
                i >= without ? evaluate(*macro.defaults[i - without])
                             : hint("parameter '" + name.text() + "' was not provided"));
  }
}

void Interpreter::bind_extras(const MacroNode& macro, Arguments& arguments, bool found_caller) {
  const std::size_t count = macro.parameters.size();
  const std::string own = macro.name.missing() ? "None" : "'" + macro.name.text() + "'";
  if (macro.caller >= 0 && !found_caller) {
    Value caller = hint("No caller defined");
    for (auto at = arguments.named.begin(); at != arguments.named.end(); ++at)
      if (at->first.text() == "caller") {
        if (!at->second.is_none()) caller = at->second;
        arguments.named.erase(at);
        break;
      }
    scope_->set(macro.caller, caller);
  }
  if (macro.kwargs >= 0) {
    auto* rest = heap.make<Dict>();
    for (const auto& [name, value] : arguments.named) set_item(*this, *rest, name, value);
    scope_->set(macro.kwargs, Value::object(Kind::kDict, rest));
  } else if (!arguments.named.empty()) {
    fail("macro {} takes no keyword argument '{}'", own, arguments.named.front().first.text());
  }
  const std::size_t positional = arguments.positional.size();
  if (macro.varargs >= 0)
    scope_->set(macro.varargs,
                tuple(Values(arguments.positional.begin() +
                                 static_cast<std::ptrdiff_t>(std::min(count, positional)),
                             arguments.positional.end())));
  else if (positional > count)
    fail("macro {} takes not more than {} argument(s)", own, count);
}

bool Loop::read(Value& out) {
  while (items.next(out))
    if (!keep || keep(out)) return true;
  return false;
}

bool Loop::next(Value& out) {
  Value item;
  if (first < ahead.size())
    item = std::move(ahead[first++]);
  else if (!read(item))
    return false;
  ++index0;
  previous = std::move(current);
  current = item;
  out = std::move(item);
  return true;
}

const Value& Loop::peek() {
  if (first == ahead.size()) {
    Value item;
    ahead.clear();
    first = 0;
    if (!read(item)) return end_;
    ahead.push_back(std::move(item));
  }
  return ahead[first];
}

// Reads what is left where Python's len() does not know.
std::int64_t Loop::length() {
  if (!size) {
    for (Value item; read(item);) push(interpreter, ahead, item);
    size = index0 + 1 + static_cast<std::int64_t>(ahead.size() - first);
  }
  return *size;
}

Value Loop::attribute(const Value& name) {
  const std::string& text = name.text();
  if (text == "index") return Value::integer(index0 + 1);
  if (text == "index0") return Value::integer(index0);
  if (text == "first") return Value::boolean(index0 == 0);
  if (text == "last") return Value::boolean(peek().missing());
  if (text == "length") return Value::integer(length());
  if (text == "revindex") return Value::integer(length() - index0);
  if (text == "revindex0") return Value::integer(length() - index0 - 1);
  if (text == "depth") return Value::integer(depth0 + 1);
  if (text == "depth0") return Value::integer(depth0);
  if (text == "previtem")
    return index0 == 0 ? interpreter.hint("there is no previous item") : previous;
  if (text == "nextitem")
    return peek().missing() ? interpreter.hint("there is no next item") : peek();
  return {};
}

Value Loop::call(Arguments& arguments) {
  if (recurse == nullptr) fail("only a loop marked 'recursive' can be called");
  const Bound bound("loop", arguments, {"iterable"}, 1);
  return interpreter.string(interpreter.run_loop(*recurse, scope, bound[0], depth0 + 1));
}

Value Loop::cycle(Arguments& arguments) const {
  if (arguments.positional.empty()) fail("no items for cycling given");
  return arguments.positional[static_cast<std::size_t>(index0) % arguments.positional.size()];
}

Value Loop::changed(Arguments& arguments) {
  const Value now = interpreter.tuple(arguments.positional);
  if (!last_changed.missing() && equal(last_changed, now)) return Value::boolean(false);
  last_changed = now;
  return Value::boolean(true);
}

}  // namespace farthing::text::jinja
