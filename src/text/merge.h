// The heart of byte-pair encoding: merge the best pair of neighbours until none is left.
#pragma once

#include <algorithm>
#include <array>
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

inline constexpr std::size_t kShort = 40;

// Few symbols: look at all pairs each time. Returns how many are left, in front.
template <class Lookup>
std::size_t merge_short(Symbol* symbols, std::size_t count, const Lookup& lookup) {
  std::array<Merge, kShort> merges;
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = lookup(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i)
      if (merges[i].rank < merges[best].rank) best = i;
    if (merges[best].rank == kNoMerge) break;
    symbols[best].id = merges[best].id;
    symbols[best].length += symbols[best + 1].length;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      merges[i - 1] = merges[i];
    }
    --count;
    if (best + 1 < count) merges[best] = lookup(symbols[best], symbols[best + 1]);
    if (best > 0) merges[best - 1] = lookup(symbols[best - 1], symbols[best]);
  }
  return count;
}

// Many symbols: a heap of candidates over a linked list, n log n.
template <class Lookup>
std::size_t merge_long(Symbol* symbols, std::size_t size, const Lookup& lookup) {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  const auto count = static_cast<std::uint32_t>(size);
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
  const auto gone = [](const Symbol& symbol) { return symbol.length == 0; };
  return static_cast<std::size_t>(std::remove_if(symbols, symbols + size, gone) - symbols);
}

}  // namespace detail

// lookup(left, right) says what two neighbours merge to. Symbols have a length above 0. Returns how
// many are left, at the front of the array.
template <class Lookup>
std::size_t merge_symbols(Symbol* symbols, std::size_t count, const Lookup& lookup) {
  return count <= detail::kShort ? detail::merge_short(symbols, count, lookup)
                                 : detail::merge_long(symbols, count, lookup);
}

// Merges `symbols` run by run, where cut(left, right) says that nothing joins those two.
template <class Lookup, class Cut>
void merge_runs(std::vector<Symbol>& symbols, const Lookup& lookup, const Cut& cut) {
  std::size_t out = 0;
  for (std::size_t begin = 0; begin < symbols.size();) {
    std::size_t end = begin + 1;
    while (end < symbols.size() && !cut(symbols[end - 1], symbols[end])) ++end;
    const std::size_t left = merge_symbols(symbols.data() + begin, end - begin, lookup);
    std::move(symbols.begin() + static_cast<std::ptrdiff_t>(begin),
              symbols.begin() + static_cast<std::ptrdiff_t>(begin + left),
              symbols.begin() + static_cast<std::ptrdiff_t>(out));
    out += left;
    begin = end;
  }
  symbols.resize(out);
}

}  // namespace farthing::text
