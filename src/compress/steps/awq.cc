// AWQ (Lin et al., 2023): scales up the input channels that carry large activations, so that their
// weights are rounded more finely; folded like SmoothQuant's scales. The exponent is chosen for
// each fold by the output error, which the Hessian of the inputs gives without running anything:
// |(W - W') X|^2 = tr((W - W') H (W - W')^T).
#include <algorithm>
#include <array>
#include <cmath>

#include "compress/folds.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 3> kKeys = {"duo", "grid", "range"};
constexpr std::array<std::string_view, 3> kDuo = {"both", "yes", "no"};
constexpr std::int64_t kRows = 256;  // of each matrix that the search looks at, evenly spread

struct Options {
  bool plain = true, duo = true;  // which families of scales are tried
  std::int64_t grid = 20;
  RoundMethod range = RoundMethod::kShrink;
};

bool is_rounded(const PlannedUnit& unit) { return unit.is_compressed() && unit.scheme.bits < 8; }

// Mean |w| of each channel, each weight as a share of the largest of its group (AutoAWQ).
std::vector<double> weight_means(const Fold& fold) {
  std::vector<double> sums(static_cast<std::size_t>(fold.channels), 0.0);
  std::int64_t rows = 0;
  for (const BlockMatrix* consumer : fold.consumers) {
    if (!is_rounded(*consumer->unit)) continue;
    const auto values = consumer->values.view();
    const WeightScheme& scheme = consumer->unit->scheme;
    const std::int64_t group =
        scheme.strategy == Strategy::kGroup ? scheme.group_size : values.cols;
    for (std::int64_t r = 0; r < values.rows; ++r)
      for (std::int64_t first = 0; first < values.cols; first += group) {
        const float* w = values.row_data(r) + first;
        float largest = 1e-6f;
        for (std::int64_t j = 0; j < group; ++j) largest = std::max(largest, std::abs(w[j]));
        for (std::int64_t j = 0; j < group; ++j)
          sums[static_cast<std::size_t>(fold.channel_of[static_cast<std::size_t>(first + j)])] +=
              static_cast<double>(std::abs(w[j]) / largest);
      }
    rows += values.rows;
  }
  const double inputs = static_cast<double>(fold.channel_of.size()) /
                        static_cast<double>(fold.channels);  // that share a channel
  for (double& sum : sums) sum /= std::max(1.0, static_cast<double>(rows) * inputs);
  return sums;
}

std::vector<double> input_means(const Fold& fold, const calibrate::LinearStatistics& inputs) {
  std::vector<double> means(static_cast<std::size_t>(fold.channels), 0.0);
  for (std::size_t j = 0; j < fold.channel_of.size(); ++j) {
    double& mean = means[static_cast<std::size_t>(fold.channel_of[j])];
    mean = std::max(mean, static_cast<double>(inputs.mean_magnitude[j]));
  }
  return means;
}

// s_j = x_j^r, or x_j^r / w_j^(1 - r), around a geometric middle of 1.
std::vector<float> scales_of(std::span<const double> inputs, std::span<const double> weights,
                             double ratio, bool duo) {
  std::vector<double> scales;
  for (std::size_t j = 0; j < inputs.size(); ++j) {
    double scale = std::pow(inputs[j], ratio);
    if (duo) scale /= std::pow(weights[j], 1 - ratio) + 1e-4;
    scales.push_back(std::max(scale, 1e-4));
  }
  const auto [least, most] = std::minmax_element(scales.begin(), scales.end());
  const double middle = std::sqrt(*least * *most);
  std::vector<float> result;
  for (const double scale : scales) result.push_back(static_cast<float>(scale / middle));
  return result;
}

// The output error of a fold's consumers for candidate scales, from the Hessians of their inputs.
class Trial {
 public:
  Trial(Runtime& runtime, const Block& block, const Fold& fold, RoundMethod range)
      : runtime_(runtime), fold_(fold), range_(range) {
    for (const BlockMatrix* consumer : fold.consumers) {
      const auto* inputs = block.inputs(fold.stage, consumer->expert);
      if (is_rounded(*consumer->unit) && inputs != nullptr && inputs->tokens > 0)
        consumers_.push_back({consumer, inputs});
    }
  }
  bool has_work() const { return !consumers_.empty(); }

  double error(std::span<const float> scales) {
    double sum = 0;
    for (const Consumer& consumer : consumers_) sum += error_of(consumer, scales);
    return sum;
  }

 private:
  struct Consumer {
    const BlockMatrix* matrix;
    const calibrate::LinearStatistics* inputs;
  };

  double error_of(const Consumer& consumer, std::span<const float> scales) {
    const auto values = consumer.matrix->values.view();
    const std::int64_t rows = std::min(values.rows, kRows);
    const auto scale_of = [&](std::int64_t j) {
      return scales[static_cast<std::size_t>(fold_.channel_of[static_cast<std::size_t>(j)])];
    };
    const auto weights = weights_.resize(rows, values.cols);
    const auto wrong = wrong_.resize(rows, values.cols);
    QuantizedTensor rounded = allocate_tensor({rows, values.cols}, consumer.matrix->unit->scheme);
    runtime_.parallel(rows, 8, [&](std::int64_t begin, std::int64_t end) {
      const auto row_of = [&](std::int64_t r) { return values.row_data(r * values.rows / rows); };
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t j = 0; j < values.cols; ++j)
          weights.row_data(r)[j] = row_of(r)[j] * scale_of(j);
      const auto part = weights.rows_from(begin, end - begin);
      rounded.format->quantize(rounded, begin, part, {.method = range_, .importance = {}});
      rounded.format->dequantize(rounded, begin, part);
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t j = 0; j < values.cols; ++j)
          wrong.row_data(r)[j] = weights.row_data(r)[j] / scale_of(j) - row_of(r)[j];
    });
    const auto product = product_.resize(rows, values.cols);
    std::fill_n(product.data, rows * values.cols, 0.0f);
    kernels::add_product(runtime_, wrong, consumer.inputs->hessian.view(), product);
    double sum = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < values.cols; ++j)
        sum +=
            static_cast<double>(product.row_data(r)[j]) * static_cast<double>(wrong.row_data(r)[j]);
    return sum * static_cast<double>(values.rows) / static_cast<double>(rows);
  }

  Runtime& runtime_;
  const Fold& fold_;
  RoundMethod range_;
  std::vector<Consumer> consumers_;
  Matrix<float> weights_, wrong_, product_;
};

class Awq final : public Step {
 public:
  explicit Awq(const Options& options) : options_(options) {}

  bool transforms() const override { return true; }
  unsigned transform_statistics() const override {
    return calibrate::kMoments | calibrate::kHessian;
  }
  void prepare(Plan& plan) override { rewrite_consumers(plan); }

  void transform(Runtime& runtime, Block& block) override {
    for (const Fold& fold : folds_of(block)) {
      Trial trial(runtime, block, fold, options_.range);
      if (!trial.has_work()) continue;
      choose(block, fold, *inputs_of(block, fold), trial);
    }
  }

 private:
  void choose(Block& block, const Fold& fold, const calibrate::LinearStatistics& inputs,
              Trial& trial) const {
    const std::vector<double> in = input_means(fold, inputs), weights = weight_means(fold);
    BestScales best(fold.channels, trial.error(std::vector<float>(in.size(), 1.0f)));
    for (std::int64_t i = 0; i < options_.grid; ++i) {
      const double ratio = static_cast<double>(i) / static_cast<double>(options_.grid);
      for (const bool duo : {false, true}) {
        if (!(duo ? options_.duo : options_.plain && i > 0)) continue;
        std::vector<float> scales = scales_of(in, weights, ratio, duo);
        const double error = trial.error(scales);
        best.offer(std::move(scales), error);
      }
    }
    apply_fold(block, fold, best.scales());
  }

  Options options_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  if (const Setting* duo = settings.find("duo")) {
    const std::size_t choice = choice_of(*duo, "duo of awq", kDuo);
    options.plain = choice != 1;
    options.duo = choice != 2;
  }
  if (const Setting* grid = settings.find("grid")) options.grid = integer_of(*grid, "grid", 1, 200);
  if (const Setting* range = settings.find("range")) options.range = range_of(*range, "awq");
  return std::make_unique<Awq>(options);
}

}  // namespace

StepRow awq_step() {
  return {.name = "awq",
          .summary = "scale up the inputs that matter before rounding (AWQ)",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
