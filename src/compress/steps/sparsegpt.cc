// SparseGPT (Frantar and Alistarh, 2023): takes weights out and rounds the others in one sweep, in
// which the weights still to come make up for both.
#include <array>
#include <cmath>
#include <limits>

#include "calibrate/collect.h"
#include "compress/pruning.h"
#include "compress/steps/rows.h"
#include "core/error.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 9> kKeys = {"sparsity",     "ratios",         "compare",
                                                   "outlier_mean", "outlier_spread", "match",
                                                   "damping",      "range",          "block"};

class SparseGptRounder final : public Rounder {
 public:
  SparseGptRounder(std::shared_ptr<const Solver> solver, const SweepOptions& options,
                   Runtime& runtime)
      : solver_(std::move(solver)), options_(options), runtime_(runtime) {}
  // Scores of the whole matrix are compared; the sweep shares out its rows itself.
  std::int64_t grain() const override { return std::numeric_limits<std::int64_t>::max(); }
  void round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    sweep(*solver_, options_, runtime_.isas, &runtime_, first, rows, out, out_first, times_);
  }
  double product_share() const override { return times_.product_share(); }

 private:
  std::shared_ptr<const Solver> solver_;
  SweepOptions options_;
  Runtime& runtime_;
  mutable SweepTimes times_;
};

// Where no token came by: the smallest of each row go.
class SmallestRounder final : public Rounder {
 public:
  SmallestRounder(const Sparsity& sparsity, RoundMethod range)
      : sparsity_(sparsity), options_{.method = range, .importance = {}} {}
  void round(std::int64_t, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    Matrix<float> left(rows.rows, rows.cols);
    std::vector<float> scores(static_cast<std::size_t>(rows.cols));
    std::vector<std::uint8_t> pruned(scores.size());
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      for (std::size_t j = 0; j < scores.size(); ++j) scores[j] = std::abs(rows.row_data(r)[j]);
      choose_pruned(sparsity_, scores, pruned);
      for (std::size_t j = 0; j < scores.size(); ++j)
        left.view().row_data(r)[j] = pruned[j] != 0 ? 0.0f : rows.row_data(r)[j];
    }
    out.format->quantize(out, out_first, left.view(), options_);
  }

 private:
  Sparsity sparsity_;
  RoundOptions options_;
};

class SparseGpt final : public PruningStep {
 public:
  SparseGpt(PruningOptions options, const SolverOptions& solver, const SweepOptions& sweep)
      : PruningStep(std::move(options), "sparsegpt"), solver_(solver), sweep_(sweep) {}

  unsigned statistics(const PlannedUnit& unit) const override {
    return prunes(unit) ? calibrate::kHessian : calibrate::kNoStatistics;
  }
  std::uint64_t work_bytes(const PlannedUnit& unit) const override {
    // Weights and mask of all rows; scores of a block of inputs and what they choose.
    if (!prunes(unit)) return 0;
    return static_cast<std::uint64_t>(unit.shape.size()) * 2 * sizeof(float) +
           static_cast<std::uint64_t>(unit.shape.rows * sweep_.block) * (sizeof(float) + 1);
  }

  std::unique_ptr<Rounder> rounder(Runtime& runtime, const PlannedUnit& unit,
                                   const calibrate::LinearStatistics* inputs) override {
    if (!prunes(unit)) return nearest_rounder(sweep_.range);
    if (inputs == nullptr || inputs->tokens == 0)
      return std::make_unique<SmallestRounder>(sparsity_of(unit), sweep_.range);
    SweepOptions options = sweep_;
    options.sparsity = sparsity_of(unit);
    options.compare = PruningStep::options().compare;
    return std::make_unique<SparseGptRounder>(solvers_.get(runtime, unit, *inputs, solver_),
                                              options, runtime);
  }

 private:
  SolverOptions solver_;
  SweepOptions sweep_;
  SolverCache solvers_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  SolverOptions solver{.order = InputOrder::kNatural, .damping = 0.01};
  SweepOptions sweep;
  sweep.fixed_grids = false;
  sweep.prunes = true;
  if (const Setting* range = settings.find("range")) sweep.range = range_of(*range, "sparsegpt");
  if (const Setting* damping = settings.find("damping")) {
    solver.damping = number_of(*damping, "damping");
    if (!(solver.damping >= 0 && solver.damping <= 10))
      bad_input("{}: damping of sparsegpt must be from 0 to 10; got {}", damping->where,
                solver.damping);
  }
  if (const Setting* block = settings.find("block"))
    sweep.block = integer_of(*block, "block", 1, 4096);
  return std::make_unique<SparseGpt>(read_pruning_options(settings, "sparsegpt", Compare::kMatrix),
                                     solver, sweep);
}

}  // namespace

StepRow sparsegpt_step() {
  return {.name = "sparsegpt",
          .summary = "take weights out and round the others in one sweep that makes up for both",
          .keys = kKeys,
          .rounds = true,
          .make = make};
}

}  // namespace farthing::compress
