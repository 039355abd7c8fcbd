#include <algorithm>

#include "core/text.h"
#include "text/jinja_parser.h"
#include "text/jinja_parser_tools.h"

namespace farthing::text::jinja {

const Node* Parser::constant(Value value, int line) {
  auto* node = make<ConstantNode>(Op::kConstant, line);
  node->value = std::move(value);
  return node;
}

const Node* Parser::binary(Op op, const Node* left, const Node* right, int line) {
  auto* node = make<ListNode>(op, line);
  node->items = {left, right};
  return grow(node, node->items);
}

// All three parts may name unknown filters, which count only if they are reached.
const Node* Parser::conditional() {
  const Deeper deeper(*this);
  const int line = current().line;
  const std::size_t known = unknown_.size();
  const Node* node = or_expression();
  while (skip_name("if")) {
    auto* choice = make<ListNode>(Op::kConditional, line);
    choice->items = {or_expression(), node, nullptr};
    if (skip_name("else")) choice->items[2] = conditional();
    node = grow(choice, choice->items);
    unknown_.resize(known);
  }
  return node;
}

const Node* Parser::or_expression() {
  const Node* left = and_expression();
  while (is_name("or")) {
    const int line = next().line;
    left = binary(Op::kOr, left, and_expression(), line);
  }
  return left;
}

const Node* Parser::and_expression() {
  const Node* left = not_expression();
  while (is_name("and")) {
    const int line = next().line;
    left = binary(Op::kAnd, left, not_expression(), line);
  }
  return left;
}

const Node* Parser::not_expression() {
  if (!is_name("not")) return comparison();
  const Deeper deeper(*this);
  auto* node = make<ListNode>(Op::kNot, next().line);
  node->items = {not_expression()};
  return grow(node, node->items);
}

bool Parser::comparison_operator(Comparison& op) {
  static constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::kEqual},     {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},       {">", Comparison::kGreater},
      {"<=", Comparison::kLessEqual}, {">=", Comparison::kGreaterEqual}};
  for (const auto& [text, comparison] : kOperators) {
    op = comparison;
    if (skip_op(text)) return true;
  }
  op = Comparison::kIn;
  if (skip_name("in")) return true;
  op = Comparison::kNotIn;
  if (!is_name("not") || ahead().type != Lexeme::kName || ahead().text != "in") return false;
  at_ += 2;
  return true;
}

const Node* Parser::comparison() {
  const int line = current().line;
  const Node* first = sum();
  Comparison op{};
  if (!comparison_operator(op)) return first;
  auto* node = make<CompareNode>(Op::kCompare, line);
  node->first = first;
  grow(node, first);
  do {
    node->rest.emplace_back(op, sum());
    grow(node, node->rest.back().second);
  } while (comparison_operator(op));
  return node;
}

const Node* Parser::sum() {
  const Node* left = concatenation();
  while (is_op("+") || is_op("-")) {
    const Token op = next();
    left = binary(op.text == "+" ? Op::kAdd : Op::kSubtract, left, concatenation(), op.line);
  }
  return left;
}

const Node* Parser::concatenation() {
  const int line = current().line;
  const Node* first = product();
  if (!is_op("~")) return first;
  auto* node = make<ListNode>(Op::kConcat, line);
  node->items = {first};
  while (skip_op("~")) node->items.push_back(product());
  return grow(node, node->items);
}

const Node* Parser::product() {
  const Node* left = power();
  while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
    const Token op = next();
    const Op kind = op.text == "*"    ? Op::kMultiply
                    : op.text == "/"  ? Op::kDivide
                    : op.text == "//" ? Op::kFloorDivide
                                      : Op::kModulo;
    left = binary(kind, left, power(), op.line);
  }
  return left;
}

const Node* Parser::power() {
  const Node* left = unary();
  while (is_op("**")) {
    const int line = next().line;
    left = binary(Op::kPower, left, unary(), line);
  }
  return left;
}

const Node* Parser::unary(bool with_filter) {
  const Deeper deeper(*this);
  const Node* node = nullptr;
  if (is_op("-") || is_op("+")) {
    const Token sign = next();
    auto* operation = make<ListNode>(sign.text == "-" ? Op::kNegate : Op::kPlus, sign.line);
    operation->items = {unary(false)};
    node = grow(operation, operation->items);
  } else {
    node = primary();
  }
  node = postfix(node);
  return with_filter ? filters_and_tests(node) : node;
}

const Node* Parser::name_or_constant() {
  const Token token = next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(Value::boolean(true), token.line);
  if (name == "false" || name == "False") return constant(Value::boolean(false), token.line);
  if (name == "none" || name == "None") return constant(Value::none(), token.line);
  note_read(name);
  return name_node(name, token.line);
}

const Node* Parser::primary() {
  const Token& token = current();
  const int line = token.line;
  if (token.type == Lexeme::kName) return name_or_constant();
  if (token.type == Lexeme::kString) {
    std::string joined;
    while (current().type == Lexeme::kString) joined += next().text;
    return constant(text(std::move(joined)), line);
  }
  if (token.type == Lexeme::kInteger) return constant(Value::integer(next().integer), line);
  if (token.type == Lexeme::kFloat) return constant(Value::real(next().real), line);
  if (skip_op("(")) {
    const Node* node = tuple(true, true);
    expect_op(")");
    return node;
  }
  if (is_op("[")) return list_literal();
  if (is_op("{")) return dict_literal();
  error("unexpected " + describe(token));
}

bool Parser::tuple_ends() const {
  return current().type == Lexeme::kVariableEnd || current().type == Lexeme::kBlockEnd ||
         is_op(")");
}

const Node* Parser::tuple(bool with_conditional, bool parentheses) {
  auto* node = make<ListNode>(Op::kTuple, current().line);
  bool comma = false;
  while (!tuple_ends()) {
    node->items.push_back(with_conditional ? expression() : or_expression());
    if (!is_op(",")) break;
    next();
    comma = true;
  }
  if (!comma && !node->items.empty()) return node->items[0];
  if (!comma && !parentheses) error("expected an expression, found " + describe(current()));
  return grow(node, node->items);
}

const Node* Parser::list_literal() {
  auto* node = make<ListNode>(Op::kList, next().line);
  while (!is_op("]")) {
    if (!node->items.empty()) expect_op(",");
    if (is_op("]")) break;
    node->items.push_back(expression());
  }
  expect_op("]");
  return grow(node, node->items);
}

const Node* Parser::dict_literal() {
  auto* node = make<ListNode>(Op::kDict, next().line);
  while (!is_op("}")) {
    if (!node->items.empty()) expect_op(",");
    if (is_op("}")) break;
    node->items.push_back(expression());
    expect_op(":");
    node->items.push_back(expression());
  }
  expect_op("}");
  return grow(node, node->items);
}

const Node* Parser::postfix(const Node* node) {
  while (true) {
    if (is_op(".") || is_op("["))
      node = subscript(node);
    else if (is_op("("))
      node = call(node);
    else
      return node;
  }
}

const Node* Parser::filters_and_tests(const Node* node) {
  while (true) {
    if (is_op("|"))
      node = filter(node, false);
    else if (is_name("is"))
      node = test(node);
    else if (is_op("("))
      node = call(node);
    else
      return node;
  }
}

const Node* Parser::subscript(const Node* object) {
  const Token mark = next();
  if (mark.text == ".") {
    const Token key = next();
    if (key.type == Lexeme::kName) {
      auto* node = make<AttributeNode>(Op::kAttribute, mark.line);
      node->object = object;
      node->name = text(key.text);
      return grow(node, object);
    }
    if (key.type != Lexeme::kInteger) error("expected a name or a number behind '.'", key.line);
    return binary(Op::kItem, object, constant(Value::integer(key.integer), key.line), mark.line);
  }
  const Node* first = nullptr;
  Nodes parts;
  while (!is_op("]")) {
    if (!parts.empty()) expect_op(",");
    parts.push_back(subscript_part(object));
    first = parts.front();
  }
  expect_op("]");
  if (parts.size() == 1) {
    if (first->op == Op::kSlice) return first;
    return binary(Op::kItem, object, first, mark.line);
  }
  for (const Node* part : parts)
    if (part->op == Op::kSlice) error("a slice cannot be one of several subscripts", mark.line);
  auto* key = make<ListNode>(Op::kTuple, mark.line);
  key->items = std::move(parts);
  return binary(Op::kItem, object, grow(key, key->items), mark.line);
}

// An expression, or a whole slice of `object`.
const Node* Parser::subscript_part(const Node* object) {
  const int line = current().line;
  const Node* start = is_op(":") ? nullptr : expression();
  if (!skip_op(":")) return start;
  auto* node = make<ListNode>(Op::kSlice, line);
  const auto ends = [&] { return is_op("]") || is_op(",") || is_op(":"); };
  const Node* stop = ends() ? nullptr : expression();
  const Node* step = skip_op(":") && !ends() ? expression() : nullptr;
  node->items = {object, start, stop, step};
  return grow(node, node->items);
}

CallArguments Parser::call_arguments() {
  CallArguments arguments;
  const int line = current().line;
  expect_op("(");
  const auto ensure = [&](bool ok) {
    if (!ok) error("the arguments of a call are out of order", line);
  };
  bool comma = false;
  while (!is_op(")")) {
    if (comma) {
      expect_op(",");
      if (is_op(")")) break;
    }
    comma = true;
    if (skip_op("*")) {
      ensure(arguments.star == nullptr && arguments.star_star == nullptr);
      arguments.star = expression();
    } else if (skip_op("**")) {
      ensure(arguments.star_star == nullptr);
      arguments.star_star = expression();
    } else if (current().type == Lexeme::kName && ahead().type == Lexeme::kOperator &&
               ahead().text == "=") {
      ensure(arguments.star_star == nullptr);
      Value name = text(next().text);
      next();
      for (const auto& [other, value] : arguments.named)
        if (other.text() == name.text()) error("a keyword argument is repeated", line);
      arguments.named.emplace_back(std::move(name), expression());
    } else {
      ensure(arguments.star == nullptr && arguments.star_star == nullptr &&
             arguments.named.empty());
      arguments.positional.push_back(expression());
    }
  }
  expect_op(")");
  return arguments;
}

int Parser::arguments_depth(const CallArguments& arguments) const {
  int depth = 0;
  for (const Node* node : arguments.positional) depth = std::max(depth, node->depth);
  for (const auto& [name, node] : arguments.named) depth = std::max(depth, node->depth);
  if (arguments.star != nullptr) depth = std::max(depth, arguments.star->depth);
  if (arguments.star_star != nullptr) depth = std::max(depth, arguments.star_star->depth);
  return depth;
}

const Node* Parser::call(const Node* callee) {
  auto* node = make<CallNode>(Op::kCall, current().line);
  node->callee = callee;
  node->arguments = call_arguments();
  node->depth = arguments_depth(node->arguments) + 1;
  return grow(node, callee);
}

const Node* Parser::filter(const Node* input, bool first_given) {
  if (!first_given) next();
  const Node* node = one_filter(input);
  while (skip_op("|")) node = one_filter(node);
  return node;
}

const Node* Parser::one_filter(const Node* input) {
  const int line = current().line;
  std::string name = expect_identifier();
  while (skip_op(".")) name += "." + expect_identifier();
  auto* node = make<FilterNode>(Op::kFilter, line);
  node->input = input;
  node->filter = find_filter(name);
  if (node->filter == nullptr && !soft_)
    unknown_.push_back({"there is no filter called '" + printable(name) + "'", line});
  node->name = text(std::move(name));
  if (is_op("(")) node->arguments = call_arguments();
  node->depth = arguments_depth(node->arguments) + 1;
  return grow(node, input);
}

const Node* Parser::test(const Node* input) {
  const int line = next().line;
  const bool negated = skip_name("not");
  std::string name = expect_identifier();
  while (skip_op(".")) name += "." + expect_identifier();
  auto* node = make<FilterNode>(Op::kTest, line);
  node->input = input;
  node->test = find_test(name);
  if (node->test == nullptr && !soft_)
    unknown_.push_back({"there is no test called '" + printable(name) + "'", line});
  node->name = text(std::move(name));
  const Lexeme type = current().type;
  const bool operand =
      type == Lexeme::kString || type == Lexeme::kInteger || type == Lexeme::kFloat || is_op("[") ||
      is_op("{") ||
      (type == Lexeme::kName && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_op("(")) {
    node->arguments = call_arguments();
  } else if (operand) {
    if (is_name("is")) error("tests cannot be chained with 'is'");
    const Deeper deeper(*this);
    node->arguments.positional = {postfix(primary())};
  }
  node->depth = arguments_depth(node->arguments) + 1;
  grow(node, input);
  if (!negated) return node;
  auto* inverse = make<ListNode>(Op::kNot, line);
  inverse->items = {node};
  return grow(inverse, inverse->items);
}

}  // namespace farthing::text::jinja
