#include "evaluate/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace farthing::evaluate {

Estimate mean_of(std::span<const double> values) {
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  Estimate e{.value = std::accumulate(values.begin(), values.end(), 0.0) / n, .stderr_of_value = 0};
  if (values.size() < 2) return e;
  double sum = 0;
  for (double v : values) sum += (v - e.value) * (v - e.value);
  e.stderr_of_value = std::sqrt(sum / (n - 1) / n);
  return e;
}

Interval interval_of(Estimate e) {
  constexpr double k95 = 1.959963984540054;  // normal quantile at 0.975
  return {e.value - k95 * e.stderr_of_value, e.value + k95 * e.stderr_of_value};
}

Interval paired_change_interval(std::int64_t lost, std::int64_t gained, std::int64_t documents) {
  const double n = static_cast<double>(documents) + 2, change = static_cast<double>(gained - lost),
               changed = static_cast<double>(gained + lost) + 1;
  return interval_of({change / n, std::sqrt(changed - change * change / n) / n});
}

double mcnemar_p(std::int64_t lost, std::int64_t gained) {
  const std::int64_t changed = lost + gained, fewer = std::min(lost, gained);
  const auto n = static_cast<double>(changed);
  double tail = 0;  // of the binomial distribution with p = 1/2
  for (std::int64_t k = 0; k <= fewer; ++k) {
    const auto x = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) -
                     n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace farthing::evaluate
