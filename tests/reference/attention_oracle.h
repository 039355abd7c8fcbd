// Attention as the papers write it, in double precision, one query and one head at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace farthing::reference {

struct AttentionProblem {
  int heads = 1, kv_heads = 1, dim = 1;
  double scale = 1, cap = 0;
  std::int64_t window = 0;
  std::vector<float> slopes, sinks;
  double rounded_slope_scale = 0;  // > 0: products and slopes are rounded to BF16
  // (positions, kv_heads * dim), every position of the sequence from 0.
  std::vector<float> keys, values;
};

// To 8 significant bits, ties to even: BF16 within its range.
inline double eight_bits(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(mantissa * 256), exponent - 8);
}

// The output (heads * dim) for the query (heads * dim) of the token at `position`.
inline std::vector<double> attention(const AttentionProblem& problem, const float* query,
                                     std::int64_t position) {
  std::vector<double> result;
  const std::int64_t row = static_cast<std::int64_t>(problem.kv_heads) * problem.dim;
  for (int head = 0; head < problem.heads; ++head) {
    const std::int64_t column = head / (problem.heads / problem.kv_heads) * problem.dim;
    std::vector<double> logits;
    std::vector<std::int64_t> seen;
    for (std::int64_t p = 0; p <= position; ++p) {
      if (problem.window > 0 && p <= position - problem.window) continue;
      double dot = 0;
      for (int d = 0; d < problem.dim; ++d)
        dot += static_cast<double>(query[head * problem.dim + d]) *
               problem.keys[static_cast<std::size_t>(p * row + column + d)];
      dot *= problem.scale;
      if (problem.cap > 0) dot = problem.cap * std::tanh(dot / problem.cap);
      if (!problem.slopes.empty()) {
        const auto slope = static_cast<double>(problem.slopes[static_cast<std::size_t>(head)]);
        const auto at = static_cast<double>(p);
        dot += problem.rounded_slope_scale > 0
                   ? problem.rounded_slope_scale * eight_bits(eight_bits(slope) * at)
                   : slope * at;
      }
      logits.push_back(dot);
      seen.push_back(p);
    }
    double largest = -INFINITY, total = 0;
    if (!problem.sinks.empty()) largest = problem.sinks[static_cast<std::size_t>(head)];
    for (double logit : logits) largest = logit > largest ? logit : largest;
    if (!problem.sinks.empty())
      total = std::exp(problem.sinks[static_cast<std::size_t>(head)] - largest);
    for (double logit : logits) total += std::exp(logit - largest);
    for (int d = 0; d < problem.dim; ++d) {
      double sum = 0;
      for (std::size_t i = 0; i < seen.size(); ++i)
        sum += std::exp(logits[i] - largest) / total *
               problem.values[static_cast<std::size_t>(seen[i] * row + column + d)];
      result.push_back(sum);
    }
  }
  return result;
}

}  // namespace farthing::reference
