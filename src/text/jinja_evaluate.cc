// Expressions.
#include "text/jinja_interpreter.h"
#include "text/jinja_loop.h"
#include "text/jinja_scope.h"

namespace farthing::text::jinja {

Value Interpreter::evaluate(const Node& node) {
  const Deeper deeper(*this);
  spend(1);
  switch (node.op) {
    case Op::kConstant:
      return static_cast<const ConstantNode&>(node).value;
    case Op::kName:
      return evaluate_name(static_cast<const NameNode&>(node));
    case Op::kNot:
      return Value::boolean(!truth(evaluate(*static_cast<const ListNode&>(node).items[0])));
    case Op::kNegate:
    case Op::kPlus:
      return negate(evaluate(*static_cast<const ListNode&>(node).items[0]), node.op == Op::kNegate);
    case Op::kCompare:
      return evaluate_compare(static_cast<const CompareNode&>(node));
    case Op::kConcat:
      return evaluate_concat(static_cast<const ListNode&>(node));
    case Op::kList:
    case Op::kTuple:
      return evaluate_sequence(static_cast<const ListNode&>(node));
    case Op::kDict:
      return evaluate_dict(static_cast<const ListNode&>(node));
    case Op::kAttribute: {
      const auto& attribute = static_cast<const AttributeNode&>(node);
      return get_attribute(*this, evaluate(*attribute.object), attribute.name);
    }
    case Op::kSlice:
      return evaluate_slice(static_cast<const ListNode&>(node));
    case Op::kConditional:
      return evaluate_conditional(static_cast<const ListNode&>(node));
    case Op::kCall:
      return evaluate_call(static_cast<const CallNode&>(node));
    case Op::kFilter:
      return evaluate_filter(static_cast<const FilterNode&>(node), nullptr);
    case Op::kTest:
      return Value::boolean(evaluate_test(static_cast<const FilterNode&>(node)));
    default:
      return evaluate_binary(static_cast<const ListNode&>(node));
  }
}

Value Interpreter::evaluate_name(const NameNode& node) {
  for (Scope* scope = scope_; scope != nullptr; scope = scope->parent)
    if (const Value* value = scope->find(node.symbol))
      return value->missing() ? undefined(node.name) : *value;
  return undefined(node.name);
}

Value Interpreter::evaluate_binary(const ListNode& node) {
  Value left = evaluate(*node.items[0]);
  if (node.op == Op::kAnd || node.op == Op::kOr)
    return truth(left) == (node.op == Op::kOr) ? left : evaluate(*node.items[1]);
  const Value right = evaluate(*node.items[1]);
  if (node.op == Op::kItem) return get_item(*this, left, right);
  return arithmetic(*this, node.op, left, right);
}

Value Interpreter::evaluate_compare(const CompareNode& node) {
  Value left = evaluate(*node.first);
  for (const auto& [op, operand] : node.rest) {
    Value right = evaluate(*operand);
    if (!compare(*this, op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_concat(const ListNode& node) {
  TextBuilder out(*this);
  for (const Node* item : node.items) {
    const Value value = evaluate(*item);
    if (value.is_string())
      out += value.text();
    else
      out += to_text(*this, value);
  }
  return string(out.take());
}

Value Interpreter::evaluate_sequence(const ListNode& node) {
  Values items;
  items.reserve(node.items.size());
  for (const Node* item : node.items) items.push_back(evaluate(*item));
  return node.op == Op::kList ? list(std::move(items)) : tuple(std::move(items));
}

Value Interpreter::evaluate_dict(const ListNode& node) {
  auto* dict = heap.make<Dict>();
  for (std::size_t i = 0; i < node.items.size(); i += 2) {
    const Value key = evaluate(*node.items[i]);
    set_item(*this, *dict, key, evaluate(*node.items[i + 1]));
  }
  return Value::object(Kind::kDict, dict);
}

Value Interpreter::evaluate_slice(const ListNode& node) {
  Value parts[4];
  for (std::size_t i = 0; i < 4; ++i)
    if (node.items[i] != nullptr) parts[i] = evaluate(*node.items[i]);
  return slice(*this, parts[0], parts[1], parts[2], parts[3]);
}

Value Interpreter::evaluate_conditional(const ListNode& node) {
  if (truth(evaluate(*node.items[0]))) return evaluate(*node.items[1]);
  if (node.items[2] != nullptr) return evaluate(*node.items[2]);
  return hint(fmt::format("the inline if-expression on line {} evaluated to false and has no else",
                          node.line));
}

void Interpreter::evaluate_arguments(const CallArguments& nodes, Arguments& arguments) {
  arguments.positional.reserve(nodes.positional.size());
  for (const Node* node : nodes.positional) arguments.positional.push_back(evaluate(*node));
  for (const auto& [name, node] : nodes.named) arguments.named.emplace_back(name, evaluate(*node));
  if (nodes.star != nullptr)
    for (Value& value : collect(*this, evaluate(*nodes.star)))
      push(*this, arguments.positional, std::move(value));
  if (nodes.star_star == nullptr) return;
  const Value more = evaluate(*nodes.star_star);
  if (!more.is(Kind::kDict)) fail("argument after ** must be a mapping, not {}", type_name(more));
  for (const auto& [key, value] : more.as<Dict>().items) {
    if (!key.is_string()) fail("keywords must be strings");
    spend(static_cast<std::int64_t>(nodes.named.size()));
    for (const auto& [name, other] : nodes.named)
      if (name.text() == key.text()) fail("a keyword argument is given twice");
    arguments.named.emplace_back(key, value);
  }
}

Value Interpreter::evaluate_call(const CallNode& node, const Value* caller) {
  const Value callee = evaluate(*node.callee);
  Arguments arguments;
  evaluate_arguments(node.arguments, arguments);
  if (caller != nullptr) arguments.named.emplace_back(string("caller"), *caller);
  line_ = node.line;
  return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  if (callee.is(Kind::kCallable)) return callee.as<Callable>().call(*this, arguments);
  if (callee.is(Kind::kLoop)) return callee.as<Loop>().call(arguments);
  if (callee.undefined()) fail_undefined(callee);
  fail("'{}' object is not callable", type_name(callee));
}

Value Interpreter::evaluate_filter(const FilterNode& node, const Value* body) {
  // The filters behind a block hang on an input that is not there: the block's text.
  Value input;
  if (node.input == nullptr)
    input = *body;
  else if (body != nullptr)
    input = evaluate_filter(static_cast<const FilterNode&>(*node.input), body);
  else
    input = evaluate(*node.input);
  if (node.filter == nullptr) fail("there is no filter called '{}'", node.name.text());
  Arguments arguments;
  evaluate_arguments(node.arguments, arguments);
  return node.filter(*this, input, arguments);
}

bool Interpreter::evaluate_test(const FilterNode& node) {
  const Value input = evaluate(*node.input);
  if (node.test == nullptr) fail("there is no test called '{}'", node.name.text());
  Arguments arguments;
  evaluate_arguments(node.arguments, arguments);
  return node.test(*this, input, arguments);
}

}  // namespace farthing::text::jinja
