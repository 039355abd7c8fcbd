// Time and its spread.
#pragma once

#include <chrono>
#include <vector>

namespace farthing::bench {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Spread {
  double median = 0, min = 0, max = 0;
};
double median(std::vector<double> values);  // 0 for none
// The smallest value that a share `quantile` of the values does not exceed (nearest rank).
double percentile(std::vector<double> values, double quantile);
Spread spread_of(const std::vector<double>& values);

}  // namespace farthing::bench
