// The heart of byte-pair encoding: merge the best pair of neighbours until none is left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <queue>
#include <vector>

#include "text/tokenizer.h"

namespace farthing::text {

struct Symbol {
  Token id;
  std::uint32_t begin, length;  // bytes of the piece
};

inline constexpr std::uint32_t kNoMerge = std::numeric_limits<std::uint32_t>::max();
struct Merge {
  std::uint32_t rank = kNoMerge;  // the lowest goes first, the leftmost among equals
  Token id = 0;                   // what the pair becomes
};

namespace detail {

// Few symbols: look at all pairs each time.
template <class Lookup>
void merge_short(std::vector<Symbol>& symbols, const Lookup& lookup) {
  std::vector<Merge> merges(symbols.size());
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
    merges[i] = lookup(symbols[i], symbols[i + 1]);
  while (symbols.size() > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < symbols.size(); ++i)
      if (merges[i].rank < merges[best].rank) best = i;
    if (merges[best].rank == kNoMerge) return;
    symbols[best].id = merges[best].id;
    symbols[best].length += symbols[best + 1].length;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    merges.erase(merges.begin() + static_cast<std::ptrdiff_t>(best));
    if (best + 1 < symbols.size())
      merges[best] = lookup(symbols[best], symbols[best + 1]);
    else
      merges[best] = {};
    if (best > 0) merges[best - 1] = lookup(symbols[best - 1], symbols[best]);
  }
}

// Many symbols: a heap of candidates over a linked list, n log n.
template <class Lookup>
void merge_long(std::vector<Symbol>& symbols, const Lookup& lookup) {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(count), previous(count);
  std::vector<Merge> merges(count);  // of each symbol with its next
  std::vector<std::uint64_t> candidates;
  for (std::uint32_t i = 0; i < count; ++i) {
    previous[i] = i == 0 ? kEnd : i - 1;
    next[i] = i + 1 == count ? kEnd : i + 1;
    if (i + 1 < count) merges[i] = lookup(symbols[i], symbols[i + 1]);
    if (merges[i].rank != kNoMerge)
      candidates.push_back(static_cast<std::uint64_t>(merges[i].rank) << 32 | i);
  }
  std::priority_queue heap(std::greater<>{}, std::move(candidates));
  const auto renew = [&](std::uint32_t i) {
    merges[i] = next[i] == kEnd ? Merge{} : lookup(symbols[i], symbols[next[i]]);
    if (merges[i].rank != kNoMerge) heap.push(static_cast<std::uint64_t>(merges[i].rank) << 32 | i);
  };
  while (!heap.empty()) {
    const auto rank = static_cast<std::uint32_t>(heap.top() >> 32);
    const auto at = static_cast<std::uint32_t>(heap.top());
    heap.pop();
    if (merges[at].rank != rank) continue;  // one of the two has since become something else
    const std::uint32_t gone = next[at];
    symbols[at].id = merges[at].id;
    symbols[at].length += symbols[gone].length;
    merges[gone] = {};
    symbols[gone].length = 0;
    next[at] = next[gone];
    if (next[at] != kEnd) previous[next[at]] = at;
    renew(at);
    if (previous[at] != kEnd) renew(previous[at]);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

}  // namespace detail

// lookup(left, right) says what two neighbours merge to. Symbols have a length above 0.
template <class Lookup>
void merge_symbols(std::vector<Symbol>& symbols, const Lookup& lookup) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= 40)
    detail::merge_short(symbols, lookup);
  else
    detail::merge_long(symbols, lookup);
}

}  // namespace farthing::text
