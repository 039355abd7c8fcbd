// Sign-gradient rounding (Cheng et al., 2023, SignRound; algorithms.md 1.6): the rounding of all
// linears of a block is learned together, so that the block, fed by the blocks as compressed so
// far, gives what it gives in the float model.
#include <algorithm>
#include <array>
#include <map>

#include "compress/block.h"
#include "compress/learned_rounding.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/random.h"
#include "train/block.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 5> kKeys = {"iterations", "batch", "rate", "range", "seed"};

struct Options {
  std::int64_t iterations = 200;
  std::int64_t batch = 8;  // samples an iteration
  double rate = 0;         // of the first step, falling to 0; 0: 1 / iterations
  RoundMethod range = RoundMethod::kScaleSearch;
  std::int64_t seed = 1;
};

bool is_learned(const PlannedUnit& unit) {
  return unit.is_compressed() && unit.scheme.element == Element::kInt &&
         unit.scheme.block.empty() && unit.scheme.zero_point != ZeroPoint::kFloat &&
         calibrate::stage_of(unit.unit.slot) != model::Slot::kNone;
}

struct LearnedMatrix {
  train::Parameter* parameter = nullptr;
  std::unique_ptr<LearnedRounding> rounding;
  std::vector<std::int32_t> row_of;  // of the stored row: the output, where they are ordered
};

class LearnedRounder final : public Rounder {
 public:
  explicit LearnedRounder(const LearnedMatrix& matrix) : matrix_(matrix) {}
  void round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      const auto stored = static_cast<std::size_t>(first + r);
      matrix_.rounding->write(matrix_.row_of.empty() ? first + r : matrix_.row_of[stored], out,
                              out_first + r);
    }
  }

 private:
  const LearnedMatrix& matrix_;
};

// One block with its rounded weights, forward and back over some samples.
class BlockLearner {
 public:
  BlockLearner(Runtime& runtime, const BlockSamples& samples, int layer)
      : runtime_(runtime),
        samples_(samples),
        layer_(layer),
        weights_(train::load_block_weights(samples.map, layer, set_)),
        positions_(samples.map),
        block_(runtime, samples.map.config()) {
    std::int64_t row = 0;
    for (const std::int64_t length : samples.lengths) first_.push_back(row), row += length;
  }

  train::ParameterSet& parameters() { return set_; }
  std::int64_t count() const { return std::ssize(first_); }

  // Squared error of the block's output over these samples; its gradients by the weights with
  // `learn`.
  double run(std::span<const std::int64_t> which, bool learn) {
    std::vector<std::int64_t> lengths;
    std::int64_t rows = 0;
    for (const std::int64_t s : which) {
      lengths.push_back(samples_.lengths[static_cast<std::size_t>(s)]);
      rows += lengths.back();
    }
    const auto x = in_.resize(rows, samples_.inputs.cols), y = out_.resize(rows, x.cols);
    gather(which, samples_.inputs, x);
    const train::SequenceBatch batch = positions_.batch(lengths);
    block_.forward(weights_, layer_, batch, x, y);
    const auto target = in_.view();  // x is not needed any more
    gather(which, samples_.outputs, target);
    double sum = 0;
    for (std::int64_t i = 0; i < rows * x.cols; ++i) {
      const float difference = y.data[i] - target.data[i];
      sum += static_cast<double>(difference) * static_cast<double>(difference);
      y.data[i] = difference;  // half of the gradient, whose sign is all that counts
    }
    if (!learn) return sum;
    set_.clear_gradients(runtime_);
    block_.backward(weights_, layer_, batch, y);
    return sum;
  }

  double run_all(std::int64_t at_once) {
    double sum = 0;
    std::vector<std::int64_t> which;
    for (std::int64_t s = 0; s < count(); ++s) {
      which.push_back(s);
      if (std::ssize(which) < at_once && s + 1 < count()) continue;
      sum += run(which, false);
      which.clear();
    }
    return sum;
  }

 private:
  void gather(std::span<const std::int64_t> which, MatrixView<const float> from,
              MatrixView<float> to) const {
    std::int64_t row = 0;
    for (const std::int64_t s : which) {
      const auto at = static_cast<std::size_t>(s);
      const auto rows = from.rows_from(first_[at], samples_.lengths[at]);
      for (std::int64_t r = 0; r < rows.rows; ++r)
        std::copy_n(rows.row_data(r), rows.cols, to.row_data(row++));
    }
  }

  Runtime& runtime_;
  const BlockSamples& samples_;
  int layer_;
  train::ParameterSet set_{train::ParameterSet::Use::kGradients};
  train::BlockWeights weights_;
  train::Positions positions_;
  train::BlockOperator block_;
  std::vector<std::int64_t> first_;  // row of each sample
  Matrix<float> in_, out_;
};

class AutoRound final : public Step {
 public:
  explicit AutoRound(const Options& options) : options_(options) {}

  void prepare(Plan& plan) override {
    for (const PlannedUnit& unit : plan.units)
      if (unit.unit.expert >= 0 || unit.slices > 1)
        unsupported(
            "autoround learns the blocks of dense models, and {} is of experts; use gptq",
            unit.base);
  }
  // transform() changes nothing: it is there to see how much each input counts.
  bool transforms() const override { return true; }
  unsigned transform_statistics() const override { return calibrate::kMoments; }
  void transform(Runtime&, Block& block) override {
    importance_.clear();
    for (const Block::Place& place : block.places())
      if (is_learned(*place.unit))
        if (const auto* inputs = block.inputs(place.unit->unit.slot))
          importance_[place.unit->base] = inputs->square;
  }

  bool learns() const override { return true; }
  void learn(Runtime& runtime, const Block& block, const BlockSamples& samples) override {
    learned_.clear();
    BlockLearner learner(runtime, samples, block.layer());
    start(runtime, block, learner);
    if (learned_.empty()) return;
    apply(runtime);
    const double before = learner.run_all(options_.batch);
    Random random(static_cast<std::uint64_t>(options_.seed) * 0x9E3779B97F4A7C15u +
                  static_cast<std::uint64_t>(block.layer()));
    for (std::int64_t i = 0; i < options_.iterations; ++i) {
      learner.run(draw(random, learner.count()), true);
      const auto n = static_cast<double>(options_.iterations);
      const double rate =
          (options_.rate > 0 ? options_.rate : 1 / n) * (1 - static_cast<double>(i) / n);
      for (auto& [base, matrix] : learned_)
        matrix.rounding->step(runtime, matrix.parameter->gradient.view(), static_cast<float>(rate));
      apply(runtime);
    }
    if (learner.run_all(options_.batch) < before) return finish();
    for (auto& [base, matrix] : learned_) matrix.rounding->reset();  // it has learned nothing
    finish();
  }

  std::unique_ptr<Rounder> rounder(Runtime&, const PlannedUnit& unit,
                                   const calibrate::LinearStatistics*) override {
    const auto found = learned_.find(unit.base);
    if (found == learned_.end()) return nearest_rounder(options_.range);
    return std::make_unique<LearnedRounder>(found->second);
  }

  std::uint64_t work_bytes(const PlannedUnit& unit) const override {
    // Rounded weights, their gradients, the weights and their offsets.
    return is_learned(unit) ? 4 * sizeof(float) * static_cast<std::uint64_t>(unit.weights()) : 0;
  }

 private:
  void start(Runtime& runtime, const Block& block, BlockLearner& learner) {
    for (const Block::Place& place : block.places()) {
      if (!is_learned(*place.unit) || place.unit->keep) continue;
      train::Parameter* parameter = learner.parameters().find_matrix(place.unit->base);
      if (parameter == nullptr) continue;
      LearnedMatrix& matrix = learned_[place.unit->base];
      matrix.parameter = parameter;
      const auto& order = parameter->order;
      matrix.row_of.resize(order.size());
      for (std::size_t r = 0; r < order.size(); ++r)
        matrix.row_of[static_cast<std::size_t>(order[r])] = static_cast<std::int32_t>(r);
      const auto importance = importance_.find(place.unit->base);
      try {
        matrix.rounding = std::make_unique<LearnedRounding>(
            runtime, parameter->value.view(), place.unit->scheme, options_.range,
            importance == importance_.end() ? std::span<const float>{} : importance->second);
      } catch (const Error& error) {
        throw Error(error.fault, fmt::format("{}: {}", place.unit->base, error.what()));
      }
    }
    for (const auto& parameter : learner.parameters().all())
      if (std::ranges::none_of(
              learned_, [&](const auto& one) { return one.second.parameter == parameter.get(); }))
        parameter->gradient = {};  // stays as it is
  }

  void apply(Runtime& runtime) {
    for (auto& [base, matrix] : learned_)
      matrix.rounding->apply(runtime, matrix.parameter->value.view());
  }
  void finish() {  // the parameters go with the learner
    for (auto& [base, matrix] : learned_) matrix.parameter = nullptr;
  }

  // Different samples, as many as a batch has or as there are.
  std::vector<std::int64_t> draw(Random& random, std::int64_t count) const {
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    const auto taken = static_cast<std::size_t>(std::min(count, options_.batch));
    for (std::size_t i = 0; i < taken; ++i)
      std::swap(all[i], all[i + random.below(all.size() - i)]);
    all.resize(taken);
    return all;
  }

  Options options_;
  std::map<std::string, std::vector<float>> importance_;  // mean squares of inputs, by base
  std::map<std::string, LearnedMatrix> learned_;          // of the last block, by base
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  const auto whole = [&](std::string_view key, std::int64_t& value, std::int64_t most) {
    if (const Setting* setting = settings.find(key)) value = integer_of(*setting, key, 1, most);
  };
  whole("iterations", options.iterations, 100'000);
  whole("batch", options.batch, 65'536);
  whole("seed", options.seed, std::int64_t{1} << 40);
  if (const Setting* rate = settings.find("rate")) {
    options.rate = number_of(*rate, "rate");
    if (!(options.rate > 0 && options.rate <= 0.5))
      bad_input("{}: rate of autoround must be above 0 and at most 0.5; got {}", rate->where,
                options.rate);
  }
  if (const Setting* range = settings.find("range")) options.range = range_of(*range, "autoround");
  return std::make_unique<AutoRound>(options);
}

}  // namespace

StepRow autoround_step() {
  return {.name = "autoround",
          .summary = "learn the rounding of each block as a whole, by signs of gradients",
          .keys = kKeys,
          .rounds = true,
          .make = make};
}

}  // namespace farthing::compress
