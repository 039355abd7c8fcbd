// Takes experts out of every mixture: those whose outputs, weighted by the router, are smallest
// over the tokens that reach them (Lasby et al., 2025, REAP, arXiv 2510.13999).
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "compress/steps/rows.h"
#include "compress/steps/structured.h"
#include "compress/structure.h"
#include "core/error.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

using model::Slot;

constexpr std::array<std::string_view, 1> kKeys = {"sparsity"};

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

Matrix<float> weights_of(const model::TensorMap& map, const model::TensorUnit& unit) {
  const QuantizedTensor stored = map.load(unit);
  Matrix<float> weights(stored.shape.rows, stored.shape.cols);
  stored.format->dequantize(stored, 0, weights.view());
  return weights;
}

double product(const float* a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t j = 0; j < b.size(); ++j)
    sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

// Watches one layer: first what enters an expert, which tells its router weight, then what enters
// its last matrix, which tells its output.
class ExpertTap final : public model::Tap {
 public:
  ExpertTap(const Survey& survey, int layer)
      : survey_(survey),
        layer_(layer),
        router_(weights_of(survey.map, *survey.map.find(Slot::kRouter, layer))),
        sums_(index(survey.map.config().experts)),
        tokens_(sums_.size()) {}

  bool wants(model::Site site) override {
    return site.layer == layer_ && site.expert >= 0 &&
           site.kind == model::Site::Kind::kLinearInput &&
           (site.slot == Slot::kGate || site.slot == Slot::kDown);
  }

  void observe(model::Site site, const cache::Batch&, MatrixView<const float> values) override {
    if (site.slot == Slot::kGate) {
      router_weights_ = each_row(
          values.rows, [&](std::int64_t t) { return router_weight(values.row(t), site.expert); });
      return;
    }
    const Matrix<float> down =
        weights_of(survey_.map, *survey_.map.find(Slot::kExpertDown, layer_, site.expert));
    const auto lengths = each_row(values.rows, [&](std::int64_t t) {
      double square = 0;
      for (std::int64_t r = 0; r < down.view().rows; ++r)
        square += std::pow(product(down.view().row_data(r), values.row(t)), 2);
      return std::sqrt(square);
    });
    for (std::size_t t = 0; t < lengths.size(); ++t)
      sums_[index(site.expert)] += router_weights_[t] * lengths[t];
    tokens_[index(site.expert)] += static_cast<double>(values.rows);
  }

  std::vector<double> scores() const {
    std::vector<double> scores(sums_.size());
    for (std::size_t e = 0; e < sums_.size(); ++e)
      if (tokens_[e] > 0) scores[e] = sums_[e] / tokens_[e];
    return scores;
  }

 private:
  std::vector<double> each_row(std::int64_t rows, FunctionRef<double(std::int64_t)> value) const {
    std::vector<double> values(index(rows));
    survey_.runtime.parallel(rows, 1, [&](std::int64_t t, std::int64_t end) {
      for (; t < end; ++t) values[index(t)] = value(t);
    });
    return values;
  }

  // The softmax over all experts, or over those that the token goes through.
  double router_weight(std::span<const float> x, int expert) const {
    const model::ModelConfig& c = survey_.map.config();
    std::vector<double> logits(sums_.size());
    for (std::size_t e = 0; e < logits.size(); ++e)
      logits[e] = product(router_.view().row_data(static_cast<std::int64_t>(e)), x);
    const double mine = logits[index(expert)];
    std::ranges::sort(logits, std::greater<>());
    if (c.normalize_expert_weights) logits.resize(index(c.experts_per_token));
    double all = 0;
    for (const double logit : logits) all += std::exp(logit - mine);
    return 1 / all;
  }

  const Survey& survey_;
  int layer_;
  Matrix<float> router_;  // (experts, hidden)
  std::vector<double> sums_, tokens_, router_weights_;
};

class DropExperts final : public Step {
 public:
  explicit DropExperts(double share) : share_(share) {}
  bool restructures() const override { return true; }

  std::unique_ptr<io::Checkpoint> restructure(const Survey& survey,
                                              std::vector<std::string>& notes) override {
    const model::ModelConfig& c = survey.map.config();
    const std::int64_t kept =
        std::max<std::int64_t>(1, std::llround(static_cast<double>(c.experts) * (1 - share_)));
    Structure structure;
    structure.experts.assign(
        index(c.layers), highest(std::vector<double>(index(c.experts)), std::min(kept, c.experts)));
    apply_structure(survey.map, structure);  // what cannot be done shows before the work
    const auto scores = expert_scores(survey);
    for (std::size_t layer = 0; layer < scores.size(); ++layer) {
      if (scores[layer].empty()) continue;
      structure.experts[layer] = highest(scores[layer], kept);
      notes.push_back(fmt::format("drop_experts: {} of {} experts stay in layer {}: {}", kept,
                                  c.experts, layer, fmt::join(structure.experts[layer], " ")));
      const auto idle = std::ranges::count(scores[layer], 0.0);
      if (idle > 0)
        notes.push_back(
            fmt::format("drop_experts: no calibration token reached {} experts of layer {}; more "
                        "or other data would tell what they are worth",
                        idle, layer));
    }
    return apply_structure(survey.map, structure);
  }

 private:
  double share_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  return std::make_unique<DropExperts>(share_of(settings, "drop_experts", 0.25));
}

}  // namespace

std::vector<std::vector<double>> expert_scores(const Survey& survey) {
  const model::ModelConfig& c = survey.map.config();
  std::vector<std::vector<double>> scores(index(c.layers));
  FloatPass pass(survey);
  for (int layer = 0; layer < c.layers; ++layer) {
    if (c.sparse(layer)) {
      ExpertTap tap(survey, layer);
      pass.advance(layer, &tap);
      scores[index(layer)] = tap.scores();
    } else {
      pass.advance(layer);
    }
    survey.progress.update("layers scored by drop_experts", layer + 1, c.layers);
  }
  return scores;
}

StepRow drop_experts_step() {
  return {.name = "drop_experts",
          .summary = "take whole experts out of every mixture",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
