// Mixture of experts: each token goes through its best few experts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/scratch.h"

namespace farthing::model {
namespace {

// The rows that an expert gets, ascending, and what its answer to each counts.
struct Routes {
  std::vector<std::int64_t> rows;
  std::vector<float> weights;
};

struct Choice {
  std::size_t expert;
  float weight;
};

// Softmax over the router's scores, the best chosen.size() kept; ties go to the lower expert.
void choose_experts(std::span<const float> scores, bool normalize, std::span<Choice> chosen) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t e) {  // a NaN comes last: sorting needs an order
    return std::isnan(scores[e]) ? -std::numeric_limits<float>::infinity() : scores[e];
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  });
  const auto weight = [&](std::size_t e) {
    return std::exp(static_cast<double>(scores[e] - scores[order[0]]));
  };
  double all = 0, kept = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double e = weight(order[i]);
    all += e;
    if (i < chosen.size()) kept += e;
  }
  for (std::size_t i = 0; i < chosen.size(); ++i)
    chosen[i] = {order[i], static_cast<float>(weight(order[i]) / (normalize ? kept : all))};
}

std::vector<Routes> route(Runtime& runtime, MatrixView<const float> scores, std::int64_t count,
                          bool normalize) {
  const auto per_row = static_cast<std::size_t>(count);
  std::vector<Choice> chosen(static_cast<std::size_t>(scores.rows) * per_row);
  const auto of_row = [&](std::int64_t row) {
    return std::span(chosen).subspan(static_cast<std::size_t>(row) * per_row, per_row);
  };
  runtime.parallel(scores.rows, 8, [&](std::int64_t row, std::int64_t end) {
    for (; row < end; ++row) choose_experts(scores.row(row), normalize, of_row(row));
  });
  std::vector<Routes> routes(static_cast<std::size_t>(scores.cols));
  for (std::int64_t row = 0; row < scores.rows; ++row)
    for (const Choice& choice : of_row(row)) {
      routes[choice.expert].rows.push_back(row);
      routes[choice.expert].weights.push_back(choice.weight);
    }
  return routes;
}

// out row = out row + weight * answer, for the rows of an expert.
void add_answers(Runtime& runtime, const Routes& routes, MatrixView<const float> answers,
                 MatrixView<float> out) {
  runtime.parallel(answers.rows, 8, [&](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) {
      const float weight = routes.weights[static_cast<std::size_t>(i)];
      const float* from = answers.row_data(i);
      float* to = out.row_data(routes.rows[static_cast<std::size_t>(i)]);
      for (std::int64_t j = 0; j < out.cols; ++j) to[j] += weight * from[j];
    }
  });
}

}  // namespace

// The inputs are quantised once, whatever the number of experts that a token goes through.
void Model::experts(Runtime& runtime, const BlockWeights& w, int layer, kernels::Activations& in,
                    MatrixView<float> out, const cache::Batch& batch, Tap* tap) {
  Scratch& s = *scratch_;
  const auto scores = s.scores.resize(out.rows, config_.experts);
  w.router.apply(runtime, in, scores);
  const std::vector<Routes> routes =
      route(runtime, scores, config_.experts_per_token, config_.normalize_expert_weights);

  kernels::scale_by(runtime, 0, out);
  for (std::size_t e = 0; e < routes.size();
       ++e) {  // ascending: a token's sum does not depend on the batch
    if (routes[e].rows.empty()) continue;
    s.routed_x.assign_rows(in, routes[e].rows);
    const auto answers = s.routed_out.resize(std::ssize(routes[e].rows), out.cols);
    mlp(runtime, w.experts[e], s.routed_x, answers, {.layer = layer, .expert = static_cast<int>(e)},
        batch, tap);
    add_answers(runtime, routes[e], answers, out);
  }
}

}  // namespace farthing::model
