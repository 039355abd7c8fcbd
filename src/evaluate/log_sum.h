// The normaliser of a row of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace farthing::evaluate {

struct LogSum {
  std::size_t best = 0;  // the first of the largest logits
  double log_sum = 0;    // log of the sum of exp(logit)
};

inline LogSum log_sum(std::span<const float> logits) {
  const auto best = static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
  const float top = logits[best];
  double sum = 0;
  for (float x : logits) sum += static_cast<double>(std::exp(x - top));
  return {best, top + std::log(sum)};
}

}  // namespace farthing::evaluate
