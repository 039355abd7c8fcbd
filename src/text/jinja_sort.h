// Sorting as Python does it: stable, and safe whatever the comparison says or throws.
#pragma once

#include <algorithm>
#include <vector>

#include "text/jinja_value.h"

namespace farthing::text::jinja {

// Merges runs of growing width; before(b, a) asks whether the later item b goes first.
template <class Item, class Before>
void merge_sort(std::vector<Item>& items, const Before& before) {
  std::vector<Item> scratch(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    spend(static_cast<std::int64_t>(items.size()));
    for (std::size_t low = 0; low < items.size(); low += 2 * width) {
      const std::size_t middle = std::min(low + width, items.size());
      const std::size_t high = std::min(low + 2 * width, items.size());
      std::size_t a = low;
      std::size_t b = middle;
      for (std::size_t to = low; to < high; ++to) {
        const bool later = a == middle || (b < high && before(items[b], items[a]));
        scratch[to] = items[later ? b++ : a++];
      }
    }
    items.swap(scratch);
  }
}

}  // namespace farthing::text::jinja
