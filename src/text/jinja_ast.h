// The parsed template. Nodes belong to the Program, which never changes after parsing.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace farthing::text::jinja {

class Runtime;
using FilterFunction = Value (*)(Runtime&, const Value& input, Arguments&);
using TestFunction = bool (*)(Runtime&, const Value& input, Arguments&);

enum class Op : std::uint8_t {
  // expressions
  kConstant,
  kName,
  kNamespaceTarget,
  kNot,
  kNegate,
  kPlus,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kAnd,
  kOr,
  kCompare,
  kConcat,
  kList,
  kTuple,
  kDict,
  kAttribute,
  kItem,
  kSlice,
  kConditional,
  kCall,
  kFilter,
  kTest,
  // statements
  kOutput,
  kIf,
  kFor,
  kAssign,
  kAssignBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kScope,
  kBreak,
  kContinue,
};

enum class Comparison : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Node {
  explicit Node(Op o) : op(o) {}
  virtual ~Node() = default;
  Op op;
  int depth = 1;  // of the tree below; bounded by the parser, so evaluation may recurse
  int line = 1;
};
using Nodes = std::vector<const Node*>;

struct ConstantNode : Node {
  using Node::Node;
  Value value;
};
// A variable, or the namespace attribute `symbol.attribute` as the target of an assignment.
struct NameNode : Node {
  using Node::Node;
  int symbol = 0;
  Value name;
  Value attribute;
};
// kNot ... kOr with one or two operands; kConcat, kList, kTuple, kOutput with any number; kDict
// with keys and values in turn; kItem with object and key; kSlice with object, start, stop and
// step, where null is absent; kConditional with test, then and else, where null is absent.
struct ListNode : Node {
  using Node::Node;
  Nodes items;
};
struct CompareNode : Node {
  using Node::Node;
  const Node* first = nullptr;
  std::vector<std::pair<Comparison, const Node*>> rest;
};
struct AttributeNode : Node {
  using Node::Node;
  const Node* object = nullptr;
  Value name;
};
struct CallArguments {
  Nodes positional;
  std::vector<std::pair<Value, const Node*>> named;
  const Node* star = nullptr;
  const Node* star_star = nullptr;
};
struct CallNode : Node {
  using Node::Node;
  const Node* callee = nullptr;
  CallArguments arguments;
};
// A filter or a test. input is null for the body of a filter block; the function is null when no
// such filter exists, which matters only if it is reached.
struct FilterNode : Node {
  using Node::Node;
  const Node* input = nullptr;
  Value name;
  FilterFunction filter = nullptr;
  TestFunction test = nullptr;
  CallArguments arguments;
};

// `closures`: something inside keeps the scope after the statement has ended.
struct Body {
  Nodes statements;
  bool closures = false;
};
struct IfNode : Node {
  using Node::Node;
  std::vector<std::pair<const Node*, Body>> branches;
  Body otherwise;
};
struct ForNode : Node {
  using Node::Node;
  const Node* target = nullptr;
  const Node* iterable = nullptr;
  const Node* test = nullptr;  // the `if` of the loop, or null
  bool recursive = false;
  Body body;
  Body otherwise;
};
struct AssignNode : Node {
  using Node::Node;
  const Node* target = nullptr;
  const Node* value = nullptr;   // kAssign
  const Node* filter = nullptr;  // kAssignBlock: chain of filters over the body, or null
  Body body;
};
// Also the body of a call block, whose name is missing.
struct MacroNode : Node {
  using Node::Node;
  Value name;
  int symbol = -1;
  std::vector<const NameNode*> parameters;
  Nodes defaults;  // of the last parameters
  Body body;
  int caller = -1, varargs = -1, kwargs = -1;  // symbols, where the body reads them
  bool explicit_caller = false;                // a parameter is called "caller"
};
struct CallBlockNode : Node {
  using Node::Node;
  const CallNode* call = nullptr;
  const MacroNode* macro = nullptr;
};
// kFilterBlock (filter), kScope (isolated: sees only the names of the template's top level).
struct BlockNode : Node {
  using Node::Node;
  const Node* filter = nullptr;
  bool isolated = false;
  Body body;
};
struct WithNode : Node {
  using Node::Node;
  std::vector<std::pair<const Node*, const Node*>> bindings;
  Body body;
};

struct Program {
  std::vector<std::unique_ptr<StringRep>>
      strings;  // first: symbols and nodes borrow them to their end
  Body body;
  std::vector<Value> symbols;  // names by number
  std::unordered_map<std::string, int> symbol_of;
  std::vector<std::unique_ptr<Node>> nodes;

  int symbol(const std::string& name) {
    const auto [at, fresh] = symbol_of.try_emplace(name, static_cast<int>(symbols.size()));
    if (fresh) symbols.push_back(constant_string(strings, name));
    return at->second;
  }
};

// Throws SyntaxError (jinja_lexer.h).
std::unique_ptr<Program> parse(std::string_view source);

}  // namespace farthing::text::jinja
