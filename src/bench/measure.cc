#include "bench/measure.h"

#include <algorithm>
#include <cmath>

namespace farthing::bench {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double percentile(std::vector<double> values, double quantile) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(quantile * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(index, values.size() - 1)];
}

Spread spread_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  return {median(values), *std::ranges::min_element(values), *std::ranges::max_element(values)};
}

}  // namespace farthing::bench
