// All pieces that start at a place in a text, in time proportional to the longest of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace farthing::text {

class Trie {
 public:
  Trie() = default;
  // Pieces must differ from each other and not be empty; their bytes are needed only here.
  explicit Trie(std::vector<std::pair<std::string_view, Token>> pieces);
  bool empty() const { return nodes_.size() <= 1; }

  // visit(length, id) for each piece that text.substr(at) starts with, shortest first.
  template <class Visit>
  void prefixes(std::string_view text, std::size_t at, const Visit& visit) const {
    if (empty()) return;
    std::uint32_t node = 0;
    for (std::size_t end = at; end < text.size();) {
      node = child(node, static_cast<unsigned char>(text[end++]));
      if (node == 0) return;
      if (nodes_[node].id >= 0) visit(end - at, nodes_[node].id);
    }
  }
  struct Found {
    std::size_t length = 0;  // 0: none
    Token id = -1;
  };
  Found longest(std::string_view text, std::size_t at) const {
    Found found;
    prefixes(text, at, [&](std::size_t length, Token id) { found = {length, id}; });
    return found;
  }

 private:
  // The children of a node lie side by side, ascending by byte.
  struct Node {
    std::uint32_t first = 0;
    std::uint16_t children = 0;
    unsigned char byte = 0;
    Token id = -1;
  };
  std::uint32_t child(std::uint32_t node, unsigned char byte) const {
    const Node& parent = nodes_[node];
    if (parent.children == 256) return parent.first + byte;
    std::uint32_t low = parent.first, high = low + parent.children;
    while (high - low > 8) {
      const std::uint32_t middle = (low + high) / 2;
      (nodes_[middle].byte <= byte ? low : high) = middle;
    }
    for (; low < high; ++low)
      if (nodes_[low].byte == byte) return low;
    return 0;
  }
  std::vector<Node> nodes_;
};

}  // namespace farthing::text
