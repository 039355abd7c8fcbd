// Mixture of experts: each token goes through its best few experts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/scratch.h"

namespace farthing::model {
namespace {

struct Route {
  std::int64_t row;
  float weight;
};

// Softmax over the router's scores, the best `count` kept; ties go to the lower expert.
void route_row(std::span<const float> scores, std::int64_t row, std::int64_t count, bool normalize,
               std::vector<std::vector<Route>>& routes) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t e) {  // a NaN comes last: sorting needs an order
    return std::isnan(scores[e]) ? -std::numeric_limits<float>::infinity() : scores[e];
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  });
  const float best = scores[order[0]];
  double all = 0, kept = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double e = std::exp(static_cast<double>(scores[order[i]] - best));
    all += e;
    if (static_cast<std::int64_t>(i) < count) kept += e;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::size_t expert = order[static_cast<std::size_t>(i)];
    const double e = std::exp(static_cast<double>(scores[expert] - best));
    routes[expert].push_back({row, static_cast<float>(e / (normalize ? kept : all))});
  }
}

}  // namespace

void Model::experts(Runtime& runtime, const BlockWeights& w, int layer, MatrixView<const float> in,
                    MatrixView<float> out, const cache::Batch& batch, Tap* tap) {
  Scratch& s = *scratch_;
  const auto scores = s.scores.resize(in.rows, config_.experts);
  s.x.assign(in);
  w.router.apply(runtime, s.x, scores);
  std::vector<std::vector<Route>> routes(w.experts.size());
  for (std::int64_t r = 0; r < in.rows; ++r)
    route_row(scores.row(r), r, config_.experts_per_token, config_.normalize_expert_weights,
              routes);

  kernels::scale_by(runtime, 0, out);
  for (std::size_t e = 0; e < routes.size();
       ++e) {  // ascending: a token's sum does not depend on the batch
    if (routes[e].empty()) continue;
    const auto rows = static_cast<std::int64_t>(routes[e].size());
    const auto gathered = s.routed.resize(rows, in.cols);
    for (std::int64_t i = 0; i < rows; ++i)
      std::ranges::copy(in.row(routes[e][static_cast<std::size_t>(i)].row), gathered.row_data(i));
    const auto result = s.routed_out.resize(rows, out.cols);
    mlp(runtime, w.experts[e], gathered, result, {.layer = layer, .expert = static_cast<int>(e)},
        batch, tap);
    for (std::int64_t i = 0; i < rows; ++i) {
      const Route& route = routes[e][static_cast<std::size_t>(i)];
      float* to = out.row_data(route.row);
      const float* from = result.row_data(i);
      for (std::int64_t j = 0; j < out.cols; ++j) to[j] += route.weight * from[j];
    }
  }
}

}  // namespace farthing::model
