// Takes out whole layers: those whose output differs least from their input in direction (Men et
// al., 2024, ShortGPT), or one after the other that whose absence moves the model's answers least.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "compress/steps/rows.h"
#include "compress/steps/structured.h"
#include "compress/structure.h"
#include "core/error.h"
#include "evaluate/divergence.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 4> kKeys = {"sparsity", "score", "first", "last"};
constexpr std::array<std::string_view, 2> kScores = {"cosine", "kl"};

struct Options {
  double share = 0.25;
  bool by_divergence = false;
  std::int64_t first = 2, last = 1;  // that always stay
};

// 1 - the mean over tokens of the cosine between what enters a layer and what leaves it.
std::vector<double> cosine_scores(const Survey& survey) {
  FloatPass pass(survey);
  const auto states = pass.states().view();
  Matrix<float> before(states.rows, states.cols);
  std::vector<double> scores;
  for (int layer = 0; layer < survey.map.config().layers; ++layer) {
    std::copy_n(states.data, states.rows * states.cols, before.view().data);
    pass.advance(layer);
    std::vector<double> cosines(static_cast<std::size_t>(states.rows));
    survey.runtime.parallel(states.rows, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        const float *x = before.view().row_data(t), *y = states.row_data(t);
        double xy = 0, xx = 0, yy = 0;
        for (std::int64_t j = 0; j < states.cols; ++j) {
          xy += static_cast<double>(x[j]) * static_cast<double>(y[j]);
          xx += static_cast<double>(x[j]) * static_cast<double>(x[j]);
          yy += static_cast<double>(y[j]) * static_cast<double>(y[j]);
        }
        cosines[static_cast<std::size_t>(t)] = xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
      }
    });
    scores.push_back(1 - std::accumulate(cosines.begin(), cosines.end(), 0.0) /
                             static_cast<double>(cosines.size()));
    survey.progress.update("layers scored", layer + 1, survey.map.config().layers);
  }
  return scores;
}

// Runs the resident model with some of its layers and compares its answers with those of all.
class Divergences {
 public:
  explicit Divergences(const Survey& survey)
      : survey_(survey),
        samples_(rows_of(survey.data)),
        model_(model::Model::load(survey.runtime, survey.map.checkpoint(), {}, false)),
        runner_(survey.runtime, samples_, kernels::parse_kv_type(survey.kv)),
        states_(samples_.tokens(), survey.map.config().hidden),
        reference_(samples_.tokens(), survey.map.config().hidden),
        current_(samples_.tokens(), survey.map.config().hidden) {
    runner_.embed(*model_, tokens_of(survey.data), reference_);
    for (int layer = 0; layer < survey.map.config().layers; ++layer)
      runner_.advance(*model_, layer, reference_);
  }

  // The one of `candidates` without which the mean divergence from the whole model is least.
  int find_least(const std::vector<std::int32_t>& kept, const std::vector<int>& candidates,
                 double& least) {
    int best = -1;
    runner_.embed(*model_, tokens_of(survey_.data), current_);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const int layer = kept[i];
      if (std::find(candidates.begin(), candidates.end(), layer) != candidates.end()) {
        copy(current_, states_);
        for (std::size_t after = i + 1; after < kept.size(); ++after)
          runner_.advance(*model_, kept[after], states_);
        const double kld = divergence();
        if (best < 0 || kld < least) {
          best = layer;
          least = kld;
        }
      }
      runner_.advance(*model_, layer, current_);
    }
    return best;
  }

 private:
  static void copy(const calibrate::HiddenStates& from, calibrate::HiddenStates& to) {
    std::copy_n(from.view().data, from.view().rows * from.view().cols, to.view().data);
  }

  double divergence() {
    constexpr std::int64_t kSlab = 32;
    const std::int64_t vocab = survey_.map.config().vocab, rows = states_.view().rows;
    Matrix<float> logits(kSlab, vocab), wanted(kSlab, vocab);
    double sum = 0;
    for (std::int64_t t = 0; t < rows; t += kSlab) {
      const std::int64_t count = std::min(kSlab, rows - t);
      const auto is = logits.view().rows_from(0, count), was = wanted.view().rows_from(0, count);
      model_->head(survey_.runtime, states_.view().rows_from(t, count), is);
      model_->head(survey_.runtime, reference_.view().rows_from(t, count), was);
      std::vector<double> each(static_cast<std::size_t>(count));
      survey_.runtime.parallel(count, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r)
          each[static_cast<std::size_t>(r)] =
              evaluate::score_position(is.row(r), was.row(r), 0).kld;
      });
      sum = std::accumulate(each.begin(), each.end(), sum);
    }
    return sum / static_cast<double>(rows);
  }

  const Survey& survey_;
  calibrate::SampleRows samples_;
  std::unique_ptr<model::Model> model_;
  calibrate::BlockRunner runner_;
  calibrate::HiddenStates states_, reference_, current_;
};

class DropLayers final : public Step {
 public:
  explicit DropLayers(const Options& options) : options_(options) {}
  bool restructures() const override { return true; }

  std::unique_ptr<io::Checkpoint> restructure(const Survey& survey,
                                              std::vector<std::string>& notes) override {
    const auto layers = static_cast<int>(survey.map.config().layers);
    const auto count = static_cast<std::int64_t>(std::llround(options_.share * layers));
    std::vector<int> candidates;
    for (int l = static_cast<int>(options_.first); l < layers - options_.last; ++l)
      candidates.push_back(l);
    if (count > std::ssize(candidates))
      bad_input(
          "drop_layers: {} of {} layers cannot go while the first {} and the last {} stay; take "
          "out "
          "fewer, or set first and last",
          count, layers, options_.first, options_.last);
    std::vector<std::int32_t> kept(static_cast<std::size_t>(layers));
    std::iota(kept.begin(), kept.end(), 0);
    Structure structure;
    structure.layers.assign(kept.begin(), kept.end() - count);
    if (count > 0) apply_structure(survey.map, structure);  // what cannot be done shows at once
    structure.layers = options_.by_divergence
                           ? by_divergence(survey, kept, candidates, count, notes)
                           : by_cosine(survey, kept, candidates, count);
    notes.push_back(fmt::format("drop_layers: {} of {} layers stay: {}", structure.layers.size(),
                                layers, fmt::join(structure.layers, " ")));
    return apply_structure(survey.map, structure);
  }

 private:
  static std::vector<std::int32_t> without(const std::vector<std::int32_t>& kept,
                                           const std::vector<int>& gone) {
    std::vector<std::int32_t> rest;
    for (const std::int32_t layer : kept)
      if (std::find(gone.begin(), gone.end(), layer) == gone.end()) rest.push_back(layer);
    return rest;
  }

  static std::vector<std::int32_t> by_cosine(const Survey& survey,
                                             const std::vector<std::int32_t>& kept,
                                             std::vector<int> candidates, std::int64_t count) {
    const std::vector<double> scores = cosine_scores(survey);
    std::stable_sort(candidates.begin(), candidates.end(), [&](int a, int b) {
      return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
    });
    candidates.resize(static_cast<std::size_t>(count));
    return without(kept, candidates);
  }

  static std::vector<std::int32_t> by_divergence(const Survey& survey,
                                                 std::vector<std::int32_t> kept,
                                                 std::vector<int> candidates, std::int64_t count,
                                                 std::vector<std::string>& notes) {
    Divergences divergences(survey);
    double least = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const int layer = divergences.find_least(kept, candidates, least);
      kept = without(kept, {layer});
      std::erase(candidates, layer);
      survey.progress.update("layers taken out", i + 1, count);
    }
    if (count > 0)
      notes.push_back(fmt::format(
          "drop_layers: mean KL divergence of the smaller model on the samples: {:.4f}", least));
    return kept;
  }

  Options options_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  options.share = share_of(settings, "drop_layers", options.share);
  if (const Setting* score = settings.find("score"))
    options.by_divergence = choice_of(*score, "score of drop_layers", kScores) == 1;
  if (const Setting* first = settings.find("first"))
    options.first = integer_of(*first, "first", 0, 1024);
  if (const Setting* last = settings.find("last"))
    options.last = integer_of(*last, "last", 0, 1024);
  return std::make_unique<DropLayers>(options);
}

}  // namespace

StepRow drop_layers_step() {
  return {.name = "drop_layers",
          .summary = "take whole layers out",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
