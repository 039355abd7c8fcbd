// Attention as the papers write it, in double precision, one query and one head at a time.
#pragma once

#include <algorithm>
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
  // > 0: queries are rounded to integers within that and a scale, weights to `weight_limit` and a
  // scale for every `chunk` positions, each times the largest value of its position.
  int query_limit = 0, weight_limit = 0, chunk = 0;
};

// To 8 significant bits, ties to even: BF16 within its range.
inline double eight_bits(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(mantissa * 256), exponent - 8);
}

// One head's query as the nearest multiples of its largest number / limit; FP32 has the inverse.
inline std::vector<double> rounded_query(const float* query, int dim, int limit) {
  float largest = 0;
  for (int d = 0; d < dim; ++d) largest = std::max(largest, std::fabs(query[d]));
  const double inverse = largest > 0 ? static_cast<double>(static_cast<float>(limit) / largest) : 0;
  std::vector<double> rounded;
  for (int d = 0; d < dim; ++d)
    rounded.push_back(std::nearbyint(static_cast<double>(query[d]) * inverse) *
                      static_cast<double>(largest) / limit);
  return rounded;
}

// Weights of ascending positions as the nearest multiples of the largest in their chunk / limit,
// where each counts `spans` times.
inline void round_weights(std::vector<double>& weights, const std::vector<std::int64_t>& positions,
                          const std::vector<double>& spans, int chunk, int limit) {
  for (std::size_t first = 0, last = 0; first < weights.size(); first = last) {
    double largest = 0;
    for (; last < weights.size() && positions[last] / chunk == positions[first] / chunk; ++last)
      largest = std::max(largest, weights[last] * spans[last]);
    for (std::size_t i = first; i < last && largest > 0; ++i)
      if (spans[i] > 0)
        weights[i] =
            std::nearbyint(weights[i] * spans[i] / largest * limit) * largest / limit / spans[i];
  }
}

// The output (heads * dim) for the query (heads * dim) of the token at `position`.
inline std::vector<double> attention(const AttentionProblem& problem, const float* query,
                                     std::int64_t position) {
  std::vector<double> result;
  const std::int64_t row = static_cast<std::int64_t>(problem.kv_heads) * problem.dim;
  for (int head = 0; head < problem.heads; ++head) {
    const std::int64_t column = head / (problem.heads / problem.kv_heads) * problem.dim;
    std::vector<double> logits, spans;
    std::vector<std::int64_t> seen;
    std::vector<double> q(query + head * problem.dim, query + (head + 1) * problem.dim);
    if (problem.query_limit > 0)
      q = rounded_query(query + head * problem.dim, problem.dim, problem.query_limit);
    for (std::int64_t p = 0; p <= position; ++p) {
      if (problem.window > 0 && p <= position - problem.window) continue;
      double dot = 0, span = 0;
      for (int d = 0; d < problem.dim; ++d) {
        const auto at = static_cast<std::size_t>(p * row + column + d);
        dot += q[static_cast<std::size_t>(d)] * static_cast<double>(problem.keys[at]);
        span = std::max(span, std::fabs(static_cast<double>(problem.values[at])));
      }
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
      spans.push_back(span);
    }
    double largest = -INFINITY, total = 0;
    if (!problem.sinks.empty()) largest = problem.sinks[static_cast<std::size_t>(head)];
    for (double logit : logits) largest = logit > largest ? logit : largest;
    if (!problem.sinks.empty())
      total = std::exp(problem.sinks[static_cast<std::size_t>(head)] - largest);
    std::vector<double> weights;
    for (double logit : logits) weights.push_back(std::exp(logit - largest));
    for (double weight : weights) total += weight;
    if (problem.weight_limit > 0)
      round_weights(weights, seen, spans, problem.chunk, problem.weight_limit);
    for (int d = 0; d < problem.dim; ++d) {
      double sum = 0;
      for (std::size_t i = 0; i < seen.size(); ++i)
        sum += weights[i] / total *
               problem.values[static_cast<std::size_t>(seen[i] * row + column + d)];
      result.push_back(sum);
    }
  }
  return result;
}

}  // namespace farthing::reference
