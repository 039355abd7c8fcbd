// SmoothQuant (Xiao et al., 2022): a scale for each input channel takes the spread out of the
// activations and puts it into the weights, s_j = max|x_j|^alpha / max|W_:j|^(1 - alpha), folded
// into what feeds the linear. alpha is given, or chosen for each fold by the output error of the
// quantised linears on a sample of the calibration tokens.
#include <algorithm>
#include <array>
#include <cmath>

#include "compress/folds.h"
#include "compress/matches.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 8> kKeys = {"alpha",       "grid",  "folds",    "range",
                                                   "first_token", "error", "multiply", "match"};
constexpr std::array<std::string_view, 2> kFolds = {"all", "norms"};
constexpr std::array<std::string_view, 3> kFirst = {"both", "with", "apart"};
constexpr std::array<std::string_view, 2> kErrors = {"sum", "token"};

struct Options {
  double alpha = -1;  // below 0: chosen
  std::vector<double> grid = {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  bool norms_only = false;  // as the original, which smooths q, k, v and gate, up only
  RoundMethod range = RoundMethod::kMinMax;
  // Whether the peaks of inputs are those of all tokens, or of all but the first of a sample.
  bool first_with = true, first_apart = true;
  bool multiply = false;  // the inputs themselves, where nothing before a linear takes the scales
  // Of the linears of `match` all inputs themselves: nothing is folded into what stands before
  // them, so that no other linear changes.
  bool each = false;
  Matches match;
  // Each token's error as a share of its output, first tokens of samples and the others counting
  // alike; else the plain sum.
  bool error_by_token = false;
};

// Largest |w| of each channel over all consumers.
std::vector<float> weight_peaks(const Fold& fold) {
  std::vector<float> peaks(static_cast<std::size_t>(fold.channels), 0.0f);
  for (const BlockMatrix* consumer : fold.consumers) {
    const auto values = consumer->values.view();
    for (std::int64_t r = 0; r < values.rows; ++r)
      for (std::int64_t j = 0; j < values.cols; ++j) {
        float& peak = peaks[static_cast<std::size_t>(fold.channel_of[static_cast<std::size_t>(j)])];
        peak = std::max(peak, std::abs(values.row_data(r)[j]));
      }
  }
  return peaks;
}

std::vector<float> input_peaks(const Fold& fold, const calibrate::LinearStatistics& inputs,
                               bool first_apart) {
  std::vector<float> peaks(static_cast<std::size_t>(fold.channels), 0.0f);
  for (std::size_t j = 0; j < fold.channel_of.size(); ++j) {
    float& peak = peaks[static_cast<std::size_t>(fold.channel_of[j])];
    peak = std::max(peak,
                    first_apart ? inputs.later_peak[j] : inputs.peak(static_cast<std::int64_t>(j)));
  }
  return peaks;
}

// A channel that is always zero, or that nobody reads, keeps its scale of 1.
std::vector<float> smoothing_scales(std::span<const float> inputs, std::span<const float> weights,
                                    double alpha) {
  std::vector<float> scales(inputs.size(), 1.0f);
  for (std::size_t j = 0; j < scales.size(); ++j) {
    if (!(inputs[j] > 0) || !(weights[j] > 0)) continue;
    const double scale = std::pow(static_cast<double>(inputs[j]), alpha) /
                         std::pow(std::max(static_cast<double>(weights[j]), 1e-5), 1 - alpha);
    scales[j] = static_cast<float>(std::max(scale, 1e-5));
  }
  return scales;
}

bool is_integer(const PlannedUnit& unit) {
  return unit.is_compressed() && unit.activations &&
         (unit.activations->mode == ActivationMode::kInt8 ||
          unit.activations->mode == ActivationMode::kInt16);
}

// Rows of x as the scheme rounds them: a scale a token, or one a group of inputs.
void round_inputs(MatrixView<float> x, const ActivationScheme& scheme) {
  const float limit = scheme.mode == ActivationMode::kInt16 ? 32639.0f : 127.0f;
  const std::int64_t group = scheme.strategy == Strategy::kGroup ? scheme.group_size : x.cols;
  for (std::int64_t t = 0; t < x.rows; ++t)
    for (std::int64_t first = 0; first < x.cols; first += group) {
      float* row = x.row_data(t) + first;
      const std::int64_t count = std::min(group, x.cols - first);
      float largest = 0;
      for (std::int64_t j = 0; j < count; ++j) largest = std::max(largest, std::abs(row[j]));
      if (!(largest > 0)) continue;
      const float scale = largest / limit;
      for (std::int64_t j = 0; j < count; ++j) row[j] = std::nearbyintf(row[j] / scale) * scale;
    }
}

// The squared output error of a fold's quantised consumers over the sample, for candidate scales.
class Trial {
 public:
  Trial(Runtime& runtime, const Fold& fold, const calibrate::LinearStatistics& inputs,
        const Options& options)
      : runtime_(runtime),
        fold_(fold),
        sample_(inputs.sample.view()),
        range_(options.range),
        by_token_(options.error_by_token) {
    const auto& first = inputs.sample_is_first;
    const auto count = static_cast<double>(std::ranges::count(first, true));
    for (const bool is_first : first)
      counts_.push_back(1 / (is_first ? count : static_cast<double>(first.size()) - count));
    for (const BlockMatrix* consumer : fold.consumers) {
      if (!is_integer(*consumer->unit)) continue;
      consumers_.push_back(consumer);
      Matrix<float>& exact = exact_.emplace_back();
      multiply(sample_, consumer->values.view(), exact);
    }
  }

  double error(std::span<const float> scales) {
    double sum = 0;
    for (std::size_t i = 0; i < consumers_.size(); ++i) sum += error_of(i, scales);
    return sum;
  }

 private:
  float scale_of(std::span<const float> scales, std::int64_t input) const {
    return scales[static_cast<std::size_t>(fold_.channel_of[static_cast<std::size_t>(input)])];
  }

  void multiply(MatrixView<const float> x, MatrixView<const float> weights, Matrix<float>& y) {
    kernels::transpose(runtime_, weights, turned_.resize(weights.cols, weights.rows));
    const auto to = y.resize(x.rows, weights.rows);
    std::fill_n(to.data, to.rows * to.cols, 0.0f);
    kernels::add_product(runtime_, x, turned_.view(), to);
  }

  double error_of(std::size_t which, std::span<const float> scales) {
    const BlockMatrix& consumer = *consumers_[which];
    const auto inputs = inputs_.resize(sample_.rows, sample_.cols);
    for (std::int64_t t = 0; t < sample_.rows; ++t)
      for (std::int64_t j = 0; j < sample_.cols; ++j)
        inputs.row_data(t)[j] = sample_.row_data(t)[j] / scale_of(scales, j);
    round_inputs(inputs, *consumer.unit->activations);
    const auto values = consumer.values.view();
    const auto weights = weights_.resize(values.rows, values.cols);
    QuantizedTensor rounded = allocate_tensor({values.rows, values.cols}, consumer.unit->scheme);
    runtime_.parallel(values.rows, 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t j = 0; j < values.cols; ++j)
          weights.row_data(r)[j] = values.row_data(r)[j] * scale_of(scales, j);
      const auto rows = weights.rows_from(begin, end - begin);
      rounded.format->quantize(rounded, begin, rows, {.method = range_, .importance = {}});
      rounded.format->dequantize(rounded, begin, rows);
    });
    multiply(inputs, weights, outputs_);
    double sum = 0;
    for (std::int64_t t = 0; t < sample_.rows; ++t) {
      double error = 0, whole = 0;
      for (std::int64_t r = 0; r < values.rows; ++r) {
        const double exact = exact_[which].view().row_data(t)[r];
        const double wrong = static_cast<double>(outputs_.view().row_data(t)[r]) - exact;
        error += wrong * wrong;
        whole += exact * exact;
      }
      const double share = whole > 0 ? counts_[static_cast<std::size_t>(t)] * error / whole : 0;
      sum += by_token_ ? share : error;
    }
    return sum;
  }

  Runtime& runtime_;
  const Fold& fold_;
  MatrixView<const float> sample_;
  RoundMethod range_;
  bool by_token_;
  std::vector<double> counts_;  // what each token counts
  std::vector<const BlockMatrix*> consumers_;
  std::vector<Matrix<float>> exact_;
  Matrix<float> inputs_, weights_, turned_, outputs_;
};

class Smooth final : public Step {
 public:
  explicit Smooth(Options options) : options_(std::move(options)) {}

  bool transforms() const override { return true; }
  unsigned transform_statistics() const override {
    return calibrate::kMoments | (options_.alpha < 0 ? calibrate::kSample : 0u);
  }
  void prepare(Plan& plan) override {
    if (!options_.each) rewrite_consumers(plan);
  }
  void prepare_model(Plan& plan, const model::TensorMap& map) override {
    if (!options_.multiply && !options_.each) return;
    for (PlannedUnit& unit : plan.units)
      unit.multiplied |= is_integer(unit) && unit.slices == 1 &&
                         (options_.each ? is_own(unit) : stands_alone(map, unit.unit));
  }

  void transform(Runtime& runtime, Block& block) override {
    std::vector<Fold> folds = options_.each ? std::vector<Fold>() : folds_of(block);
    for (Fold& fold : multiplied_of(block)) {
      std::erase_if(fold.consumers,
                    [&](const BlockMatrix* m) { return !options_.match.has(m->unit->base); });
      if (fold.consumers.empty()) continue;
      apply_fold(block, fold, std::vector<float>(static_cast<std::size_t>(fold.channels), 1.0f));
      folds.push_back(std::move(fold));
    }
    for (const Fold& fold : folds) {
      const bool norm =
          fold.producer == model::Slot::kAttentionNorm || fold.producer == model::Slot::kMlpNorm;
      if (options_.norms_only && !norm) continue;
      const calibrate::LinearStatistics* inputs = inputs_of(block, fold);
      if (inputs == nullptr || inputs->tokens == 0) continue;
      if (std::none_of(fold.consumers.begin(), fold.consumers.end(),
                       [](const BlockMatrix* m) { return is_integer(*m->unit); }))
        continue;
      if (options_.alpha >= 0)
        apply_fold(block, fold,
                   smoothing_scales(input_peaks(fold, *inputs, !options_.first_with),
                                    weight_peaks(fold), options_.alpha));
      else
        choose(runtime, block, fold, *inputs);
    }
  }

 private:
  bool is_own(const PlannedUnit& unit) const {
    return calibrate::stage_of(unit.unit.slot) != model::Slot::kNone &&
           unit.unit.slot != model::Slot::kRouter && options_.match.has(unit.base);
  }
  void choose(Runtime& runtime, Block& block, const Fold& fold,
              const calibrate::LinearStatistics& inputs) const {
    Trial trial(runtime, fold, inputs, options_);
    const std::vector<float> weights = weight_peaks(fold);
    BestScales best(fold.channels, trial.error(std::vector<float>(weights.size(), 1.0f)));
    std::vector<float> tried;  // samples without a first token have no other peaks
    for (const bool apart : {false, true}) {
      if (!(apart ? options_.first_apart : options_.first_with)) continue;
      const std::vector<float> in = input_peaks(fold, inputs, apart);
      if (in == tried) continue;
      for (const double alpha : options_.grid) {
        std::vector<float> scales = smoothing_scales(in, weights, alpha);
        const double error = trial.error(scales);
        best.offer(std::move(scales), error);
      }
      tried = in;
    }
    apply_fold(block, fold, best.scales());
  }

  Options options_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  const auto alpha_of = [](const Setting& setting) {
    const double alpha = number_of(setting, "alpha");
    if (!(alpha >= 0 && alpha <= 1))
      bad_input("{}: alpha of smooth must be auto or from 0 to 1; got {}", setting.where, alpha);
    return alpha;
  };
  if (const Setting* alpha = settings.find("alpha"); alpha != nullptr && alpha->text != "auto")
    options.alpha = alpha_of(*alpha);
  if (const Setting* grid = settings.find("grid")) {
    options.grid.clear();
    for (const Setting& item : list_of(*grid, "grid")) options.grid.push_back(alpha_of(item));
  }
  if (const Setting* folds = settings.find("folds"))
    options.norms_only = choice_of(*folds, "folds of smooth", kFolds) == 1;
  if (const Setting* range = settings.find("range")) options.range = range_of(*range, "smooth");
  if (const Setting* first = settings.find("first_token")) {
    const std::size_t choice = choice_of(*first, "first_token of smooth", kFirst);
    options.first_with = choice != 2;
    options.first_apart = choice != 1;
  }
  if (const Setting* multiply = settings.find("multiply")) {
    options.each = multiply->text == "each";
    options.multiply = !options.each && flag_of(*multiply, "multiply of smooth");
  }
  if (const Setting* match = settings.find("match")) {
    if (!options.each)
      bad_input(
          "{}: match of smooth needs multiply: each; a fold changes the linears of a norm together",
          match->where);
    options.match = Matches(*match);
  }
  if (const Setting* error = settings.find("error"))
    options.error_by_token = choice_of(*error, "error of smooth", kErrors) == 1;
  return std::make_unique<Smooth>(std::move(options));
}

}  // namespace

StepRow smooth_step() {
  return {.name = "smooth",
          .summary = "move the spread of activations into the weights (SmoothQuant)",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
