#include <algorithm>

#include "core/text.h"
#include "text/jinja_parser.h"
#include "text/jinja_parser_tools.h"

namespace farthing::text::jinja {

Parser::Parser(std::string_view source) : tokens_(tokenize(source)) {}

std::unique_ptr<Program> parse(std::string_view source) { return Parser(source).run(); }

std::unique_ptr<Program> Parser::run() {
  statements(program_->body, {});
  if (!unknown_.empty()) throw unknown_.front();
  return std::move(program_);
}

void Parser::error(std::string message, int line) const {
  throw SyntaxError{std::move(message), line == 0 ? current().line : line};
}

Token Parser::next() {
  Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}
bool Parser::is_op(std::string_view op) const {
  return current().type == Lexeme::kOperator && current().text == op;
}
bool Parser::is_name(std::string_view name) const {
  return current().type == Lexeme::kName && current().text == name;
}
bool Parser::skip_op(std::string_view op) {
  const bool found = is_op(op);
  if (found) ++at_;
  return found;
}
bool Parser::skip_name(std::string_view name) {
  const bool found = is_name(name);
  if (found) ++at_;
  return found;
}
void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) error("expected '" + std::string(op) + "', found " + describe(current()));
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) error("expected '" + std::string(name) + "', found " + describe(current()));
}
std::string Parser::expect_identifier() {
  if (current().type != Lexeme::kName) error("expected a name, found " + describe(current()));
  return next().text;
}
void Parser::expect(Lexeme type, std::string_view what) {
  if (current().type != type)
    error("expected '" + std::string(what) + "', found " + describe(current()));
  next();
}

const NameNode* Parser::name_node(const std::string& name, int line) {
  auto* node = make<NameNode>(Op::kName, line);
  node->symbol = program_->symbol(name);
  node->name = program_->symbols[static_cast<std::size_t>(node->symbol)];
  return node;
}

// A macro whose body reads "caller", "varargs" or "kwargs" before it stores them gets them.
void Parser::note_read(const std::string& name) {
  for (MacroNames& macro : macros_) {
    if (name == "caller") macro.caller |= !macro.hidden_caller;
    if (name == "varargs") macro.varargs |= !macro.hidden_varargs;
    if (name == "kwargs") macro.kwargs |= !macro.hidden_kwargs;
  }
}

void Parser::note_store(const std::string& name, int line) {
  if (name == "loop" && loops_ > 0) error("'loop' cannot be assigned to inside a loop", line);
  for (MacroNames& macro : macros_) {
    macro.hidden_caller |= name == "caller";
    macro.hidden_varargs |= name == "varargs";
    macro.hidden_kwargs |= name == "kwargs";
  }
}

bool Parser::at_end_tag(std::initializer_list<std::string_view> ends) const {
  return current().type == Lexeme::kName &&
         std::find(ends.begin(), ends.end(), current().text) != ends.end();
}

void Parser::unclosed(std::initializer_list<std::string_view> ends) const {
  std::string wanted;
  for (const std::string_view end : ends)
    wanted += (wanted.empty() ? "'" : " or '") + std::string(end) + "'";
  const std::string tag = open_tags_.empty() ? "" : open_tags_.back();
  error("the template ends where " + wanted + " should close '" + tag + "'");
}

// Statements and text up to one of `ends`, whose name is then the current token.
void Parser::statements(Body& body, std::initializer_list<std::string_view> ends) {
  const Deeper deeper(*this);
  const int closures = closures_;
  while (current().type != Lexeme::kEnd) {
    if (current().type == Lexeme::kData || current().type == Lexeme::kVariableBegin) {
      output(body);
      continue;
    }
    next();  // "{%": tags are balanced by the lexer
    if (at_end_tag(ends)) {
      body.closures = closures_ != closures;
      return;
    }
    if (const Node* node = statement()) body.statements.push_back(node);
    expect(Lexeme::kBlockEnd, "%}");
  }
  if (ends.size() != 0) unclosed(ends);
  body.closures = closures_ != closures;
}

void Parser::output(Body& body) {
  auto* node = make<ListNode>(Op::kOutput, current().line);
  while (true) {
    if (current().type == Lexeme::kData) {
      const int line = current().line;
      node->items.push_back(constant(text(next().text), line));
    } else if (current().type == Lexeme::kVariableBegin) {
      next();
      node->items.push_back(tuple(true, false));
      expect(Lexeme::kVariableEnd, "}}");
    } else {
      break;
    }
  }
  body.statements.push_back(grow(node, node->items));
}

// What stands between a tag and its end tag; the end tag's name is taken.
Body Parser::block_body(std::initializer_list<std::string_view> ends) {
  skip_op(":");
  expect(Lexeme::kBlockEnd, "%}");
  Body body;
  statements(body, ends);
  return body;
}

void Parser::unsupported_tag(std::string_view tag, std::string_view why) const {
  throw SyntaxError{"the tag '" + std::string(tag) + "' is not supported: " + std::string(why),
                    current().line, true};
}

const Node* Parser::statement() {
  using Method = const Node* (Parser::*)();
  static constexpr std::pair<std::string_view, Method> kStatements[] = {
      {"if", &Parser::if_statement},         {"for", &Parser::for_statement},
      {"set", &Parser::set_statement},       {"with", &Parser::with_statement},
      {"macro", &Parser::macro_statement},   {"call", &Parser::call_statement},
      {"filter", &Parser::filter_statement}, {"generation", &Parser::generation_statement},
      {"block", &Parser::block_statement},   {"print", &Parser::print_statement},
      {"break", &Parser::loop_control},      {"continue", &Parser::loop_control}};
  if (current().type != Lexeme::kName)
    error("expected the name of a tag, found " + describe(current()));
  const std::string& tag = current().text;
  for (const auto& [name, method] : kStatements) {
    if (tag != name) continue;
    open_tags_.push_back(tag);
    const Node* node = (this->*method)();
    open_tags_.pop_back();
    return node;
  }
  for (const std::string_view other : {"include", "import", "from", "extends"})
    if (tag == other) unsupported_tag(tag, "a chat template is one file and cannot read others");
  if (tag == "autoescape") unsupported_tag(tag, "chat templates do not escape their output");
  const std::string inside =
      open_tags_.empty() ? "" : "; '" + open_tags_.back() + "' is still open";
  error("there is no tag called '" + printable(tag) + "'" + inside);
}

const Node* Parser::if_statement() {
  auto* node = make<IfNode>(Op::kIf, current().line);
  const bool outer_soft = std::exchange(soft_, true);
  do {
    next();  // "if" or "elif"
    const Node* test = tuple(false, false);
    node->branches.emplace_back(test, block_body({"elif", "else", "endif"}));
    grow(node, test);
    grow(node, node->branches.back().second.statements);
  } while (is_name("elif"));
  if (next().text == "else") {
    node->otherwise = block_body({"endif"});
    next();
    grow(node, node->otherwise.statements);
  }
  soft_ = outer_soft;
  return node;
}

const Node* Parser::for_statement() {
  auto* node = make<ForNode>(Op::kFor, next().line);
  const bool outer_soft = soft_;
  ++loops_;
  node->target = target(Targets::kAny);
  expect_name("in");
  node->iterable = tuple(false, false);
  const bool outer_breakable = std::exchange(breakable_, true);
  soft_ = false;
  if (skip_name("if")) {
    node->test = expression();
    ++closures_;  // `loop` evaluates it later, perhaps after this scope
  }
  node->recursive = skip_name("recursive");
  node->body = block_body({"endfor", "else"});
  if (node->recursive) node->body.closures = true, ++closures_;
  breakable_ = outer_breakable;
  if (next().text == "else") {
    node->otherwise = block_body({"endfor"});
    next();
  }
  --loops_;
  soft_ = outer_soft;
  grow(grow(grow(node, node->target), node->iterable), node->test);
  return grow(grow(node, node->body.statements), node->otherwise.statements);
}

const Node* Parser::set_statement() {
  const int line = next().line;
  const Node* place = target(Targets::kNamespaces);
  if (skip_op("=")) {
    auto* node = make<AssignNode>(Op::kAssign, line);
    node->target = place;
    node->value = tuple(true, false);
    return grow(grow(node, place), node->value);
  }
  auto* node = make<AssignNode>(Op::kAssignBlock, line);
  node->target = place;
  if (is_op("|")) node->filter = filter(nullptr, false);
  const bool outer_soft = std::exchange(soft_, false);
  node->body = block_body({"endset"});
  next();
  soft_ = outer_soft;
  return grow(grow(grow(node, place), node->filter), node->body.statements);
}

const Node* Parser::with_statement() {
  auto* node = make<WithNode>(Op::kWith, next().line);
  while (current().type != Lexeme::kBlockEnd) {
    if (!node->bindings.empty()) expect_op(",");
    const Node* place = target(Targets::kAny);
    expect_op("=");
    node->bindings.emplace_back(place, expression());
    grow(grow(node, place), node->bindings.back().second);
  }
  const bool outer_soft = std::exchange(soft_, false);
  node->body = block_body({"endwith"});
  next();
  soft_ = outer_soft;
  return grow(node, node->body.statements);
}

void Parser::signature(MacroNode* macro) {
  expect_op("(");
  while (!is_op(")")) {
    if (!macro->parameters.empty()) expect_op(",");
    const int line = current().line;
    const std::string name = expect_identifier();
    for (const NameNode* other : macro->parameters)
      if (other->name.text() == name) error("a parameter is repeated", line);
    if (skip_op("="))
      macro->defaults.push_back(expression());
    else if (!macro->defaults.empty())
      error("a parameter without a default follows one with a default", line);
    macro->parameters.push_back(name_node(name, line));
    macro->explicit_caller |= name == "caller";
  }
  expect_op(")");
  grow(macro, macro->defaults);
}

void Parser::macro_body(MacroNode* macro, std::string_view end) {
  MacroNames names;
  for (const NameNode* parameter : macro->parameters) {
    names.hidden_varargs |= parameter->name.text() == "varargs";
    names.hidden_kwargs |= parameter->name.text() == "kwargs";
  }
  macros_.push_back(names);
  const bool outer_soft = std::exchange(soft_, false);
  const bool outer_breakable = std::exchange(breakable_, false);
  macro->body = block_body({end});
  next();
  soft_ = outer_soft;
  breakable_ = outer_breakable;
  names = macros_.back();
  macros_.pop_back();
  if (names.caller && macro->explicit_caller && macro->defaults.empty())
    error("the parameter 'caller' of a macro needs a default", macro->line);
  if (names.caller) macro->caller = program_->symbol("caller");
  if (names.varargs) macro->varargs = program_->symbol("varargs");
  if (names.kwargs) macro->kwargs = program_->symbol("kwargs");
  grow(macro, macro->body.statements);
  ++closures_;
}

const Node* Parser::macro_statement() {
  auto* node = make<MacroNode>(Op::kMacro, next().line);
  const std::string name = expect_identifier();
  note_store(name, node->line);
  const NameNode* own = name_node(name, node->line);
  node->name = own->name;
  node->symbol = own->symbol;
  signature(node);
  macro_body(node, "endmacro");
  return node;
}

const Node* Parser::call_statement() {
  const int line = next().line;
  auto* macro = make<MacroNode>(Op::kMacro, line);
  if (is_op("(")) signature(macro);
  const Node* called = expression();
  if (called->op != Op::kCall) error("expected a call behind 'call'", line);
  macro_body(macro, "endcall");
  auto* node = make<CallBlockNode>(Op::kCallBlock, line);
  node->call = static_cast<const CallNode*>(called);
  node->macro = macro;
  return grow(grow(node, called), macro);
}

const Node* Parser::filter_statement() {
  auto* node = make<BlockNode>(Op::kFilterBlock, next().line);
  node->filter = filter(nullptr, true);
  const bool outer_soft = std::exchange(soft_, false);
  node->body = block_body({"endfilter"});
  next();
  soft_ = outer_soft;
  return grow(grow(node, node->filter), node->body.statements);
}

// transformers marks with it what the assistant said; the text is the body's.
const Node* Parser::generation_statement() {
  auto* node = make<BlockNode>(Op::kScope, next().line);
  const bool outer_soft = std::exchange(soft_, false);
  const bool outer_breakable = std::exchange(breakable_, false);
  node->body = block_body({"endgeneration"});
  next();
  soft_ = outer_soft;
  breakable_ = outer_breakable;
  return grow(node, node->body.statements);
}

// Nothing extends a chat template, so a block is where it stands.
const Node* Parser::block_statement() {
  auto* node = make<BlockNode>(Op::kScope, next().line);
  const std::string name = expect_identifier();
  node->isolated = !skip_name("scoped");
  if (is_name("required")) unsupported_tag("block", "a required block needs another template");
  const bool outer_soft = std::exchange(soft_, false);
  const bool outer_breakable = std::exchange(breakable_, false);
  node->body = block_body({"endblock"});
  next();
  skip_name(name);
  soft_ = outer_soft;
  breakable_ = outer_breakable;
  return grow(node, node->body.statements);
}

const Node* Parser::print_statement() {
  auto* node = make<ListNode>(Op::kOutput, next().line);
  while (current().type != Lexeme::kBlockEnd) {
    if (!node->items.empty()) expect_op(",");
    node->items.push_back(expression());
  }
  return grow(node, node->items);
}

const Node* Parser::loop_control() {
  const Token word = next();
  if (!breakable_) error("'" + word.text + "' stands outside a loop", word.line);
  return make<Node>(word.text == "break" ? Op::kBreak : Op::kContinue, word.line);
}

const Node* Parser::target(Targets allowed) {
  auto* node = make<ListNode>(Op::kTuple, current().line);
  bool comma = false;
  while (!tuple_ends()) {
    node->items.push_back(target_part(allowed));
    if (!is_op(",")) break;
    next();
    comma = true;
  }
  if (!comma && !node->items.empty()) return node->items[0];
  if (!comma) error("expected a name to assign to, found " + describe(current()));
  return grow(node, node->items);
}

const Node* Parser::target_part(Targets allowed) {
  const Deeper deeper(*this);
  const int line = current().line;
  if (skip_op("(")) {
    const Node* inner = is_op(")") ? make<ListNode>(Op::kTuple, line) : target(Targets::kAny);
    expect_op(")");
    return inner;
  }
  if (current().type != Lexeme::kName) error("cannot assign to " + describe(current()));
  const std::string name = next().text;
  for (const std::string_view word : {"true", "false", "none", "True", "False", "None"})
    if (name == word) error("cannot assign to '" + name + "'", line);
  if (allowed == Targets::kNamespaces && skip_op(".")) {
    auto* node = make<NameNode>(Op::kNamespaceTarget, line);
    const NameNode* base = name_node(name, line);
    node->symbol = base->symbol;
    node->name = base->name;
    node->attribute = text(expect_identifier());
    return node;
  }
  note_store(name, line);
  return name_node(name, line);
}

}  // namespace farthing::text::jinja
