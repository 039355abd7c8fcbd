// GPTQ (Frantar et al., 2022): rounds input by input and lets the inputs that are still float make
// up for the error, by the inverse of the Hessian of the layer's squared output error. With
// asymmetric calibration (GPTAQ, Li et al., 2025) the target is what the float model would put out.
#include <algorithm>
#include <array>

#include "calibrate/collect.h"
#include "compress/steps/rows.h"
#include "compress/sweep.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/block_codes.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 5> kKeys = {"order", "damping", "asymmetric_calibration",
                                                   "range", "block"};

constexpr std::array<std::string_view, 3> kOrders = {"natural", "activation", "groups"};

struct Options {
  // "activation" fixes the grids of the groups before; the others find each on the weights as they
  // are when the group begins.
  SolverOptions solver;
  SweepOptions sweep;
};

class GptqRounder final : public Rounder {
 public:
  GptqRounder(std::shared_ptr<const Solver> solver, const SweepOptions& options, IsaSet isas)
      : solver_(std::move(solver)), options_(options), isas_(isas) {}
  std::int64_t grain() const override { return 48; }
  void round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    sweep(*solver_, options_, isas_, nullptr, first, rows, out, out_first, times_);
  }
  double product_share() const override { return times_.product_share(); }

 private:
  std::shared_ptr<const Solver> solver_;
  SweepOptions options_;
  IsaSet isas_;
  mutable SweepTimes times_;
};

class Gptq final : public Step {
 public:
  explicit Gptq(const Options& options) : options_(options) {}

  unsigned statistics(const PlannedUnit& unit) const override {
    if (!rounds(unit)) return calibrate::kNoStatistics;
    return calibrate::kHessian |
           (options_.solver.asymmetric > 0 ? calibrate::kDrift : calibrate::kNoStatistics);
  }

  std::unique_ptr<Rounder> rounder(Runtime& runtime, const PlannedUnit& unit,
                                   const calibrate::LinearStatistics* inputs) override {
    // Of an embedding that is no head, and where no token came by, nothing is known: round to
    // nearest.
    if (!rounds(unit) || inputs == nullptr || inputs->tokens == 0)
      return nearest_rounder(options_.sweep.range);
    SweepOptions options = options_.sweep;
    options.keep_zeros = unit.keep_zeros;
    return std::make_unique<GptqRounder>(solvers_.get(runtime, unit, *inputs, options_.solver),
                                         options, runtime.isas);
  }

 private:
  static bool rounds(const PlannedUnit& unit) {
    if (!unit.is_compressed() || unit.scheme.element != Element::kInt) return false;
    if (!unit.scheme.block.empty() && find_write_codes(unit.scheme) == nullptr) return false;
    return unit.stage() != model::Slot::kNone;
  }

  Options options_;
  SolverCache solvers_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  if (const Setting* order = settings.find("order"))
    options.solver.order = static_cast<InputOrder>(choice_of(*order, "order of gptq", kOrders));
  options.sweep.fixed_grids = options.solver.order == InputOrder::kActivation;
  if (const Setting* range = settings.find("range")) options.sweep.range = range_of(*range, "gptq");
  const auto number = [&](std::string_view key, double& value, double least, double most) {
    const Setting* setting = settings.find(key);
    if (setting == nullptr) return;
    value = number_of(*setting, key);
    if (!(value >= least && value <= most))
      bad_input("{}: {} of gptq must be from {} to {}; got {}", setting->where, key, least, most,
                value);
  };
  number("damping", options.solver.damping, 0, 10);
  number("asymmetric_calibration", options.solver.asymmetric, 0, 1);
  if (const Setting* block = settings.find("block"))
    options.sweep.block = integer_of(*block, "block", 1, 4096);
  return std::make_unique<Gptq>(options);
}

}  // namespace

StepRow gptq_step() {
  return {.name = "gptq",
          .summary = "round input by input and make up for the error in the others",
          .keys = kKeys,
          .rounds = true,
          .can_match = true,
          .make = make};
}

}  // namespace farthing::compress
