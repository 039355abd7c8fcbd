#include "bench/kernel_rows.h"

#include <algorithm>

namespace farthing::bench {

bool KernelRows::wants(const Row& names) const {
  return std::ranges::all_of(only, [&](const std::string& word) {
    return names.test == word || names.test.starts_with(word + " ") || names.scheme == word ||
           names.activations == word || names.kv == word || names.isa == word;
  });
}

void KernelRows::measure(Row row, const std::function<Timed()>& test) {
  alternate(roof, repeats, progress, test, row);
  rows.push_back(std::move(row));
}

}  // namespace farthing::bench
