#include "text/trie.h"

#include <algorithm>

namespace farthing::text {

Trie::Trie(std::vector<std::pair<std::string_view, Token>> pieces) {
  std::sort(pieces.begin(), pieces.end());
  nodes_.emplace_back();
  struct Range {
    std::size_t begin, end, depth;
    std::uint32_t node;
  };
  std::vector<Range> queue{{0, pieces.size(), 0, 0}};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    Range range = queue[next];
    if (range.begin < range.end && pieces[range.begin].first.size() == range.depth)
      nodes_[range.node].id = pieces[range.begin++].second;
    nodes_[range.node].first = static_cast<std::uint32_t>(nodes_.size());
    for (std::size_t i = range.begin; i < range.end;) {
      const char byte = pieces[i].first[range.depth];
      std::size_t end = i + 1;
      while (end < range.end && pieces[end].first[range.depth] == byte) ++end;
      ++nodes_[range.node].children;
      queue.push_back({i, end, range.depth + 1, static_cast<std::uint32_t>(nodes_.size())});
      nodes_.push_back({0, 0, static_cast<unsigned char>(byte), -1});
      i = end;
    }
  }
}

}  // namespace farthing::text
