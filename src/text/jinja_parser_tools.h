// What the two halves of the parser share.
#pragma once

#include <utility>

#include "text/jinja_parser.h"
#include "text/jinja_runtime.h"

namespace farthing::text::jinja {

// Nested statements and expressions, as deep as Python's own compiler lets Jinja go (200 brackets).
constexpr int kMaxDepth = 200;

class Parser::Deeper {
 public:
  explicit Deeper(Parser& parser) : parser_(parser) {
    if (++parser_.nesting_ > 2 * kMaxDepth) parser_.error("expressions are nested too deeply");
  }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --parser_.nesting_; }

 private:
  Parser& parser_;
};

template <class T>
T* Parser::make(Op op, int line) {
  auto owned = std::make_unique<T>(op);
  T* node = owned.get();
  node->line = line;
  program_->nodes.push_back(std::move(owned));
  return node;
}

template <class T>
T* Parser::grow(T* node, const Node* child) {
  if (child != nullptr) node->depth = std::max(node->depth, child->depth + 1);
  if (node->depth > kMaxDepth)
    error("the template is nested more than " + std::to_string(kMaxDepth) + " levels deep",
          node->line);
  return node;
}

template <class T>
T* Parser::grow(T* node, const Nodes& children) {
  for (const Node* child : children) grow(node, child);
  return node;
}

}  // namespace farthing::text::jinja
