// GPTQ (Frantar et al., 2022): rounds input by input and lets the inputs that are still float make
// up for the error, by the inverse of the Hessian of the layer's squared output error. With
// asymmetric calibration (GPTAQ, Li et al., 2025) the target is what the float model would put out.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "calibrate/collect.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "formats/rounding.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 5> kKeys = {"order", "damping", "asymmetric_calibration",
                                                   "range", "block"};

enum class Order : std::uint8_t { kNatural, kActivation, kGroups };
constexpr std::array<std::string_view, 3> kOrders = {"natural", "activation", "groups"};

struct Options {
  // kActivation: inputs by falling energy, grids of the groups fixed before ("static groups").
  // kGroups: groups by their strongest input, inputs by energy within, grids found on the weights
  // as they are when their group begins ("group-aware"). kNatural: as they lie, grids as kGroups.
  Order order = Order::kActivation;
  double damping = 0.01;  // of the mean of the diagonal, added to it
  double asymmetric = 0;  // weight of the correction towards the float model's outputs
  RoundMethod range = RoundMethod::kScaleSearch;
  std::int64_t block = 128;  // inputs whose errors are passed on at once
};

// What all matrices that read one input share.
struct Solver {
  std::vector<std::int32_t> order;  // position -> input
  Matrix<float> factor;             // U, upper, with H^-1 = U^T U, in the order
  Matrix<float> correction;         // P of GPTAQ, strictly upper; empty without
  std::vector<float> importance;    // (in) diagonal of H, damped
  double damping = 0;               // that it took
};

std::vector<std::int32_t> make_order(const calibrate::LinearStatistics& s, Order kind,
                                     std::int64_t group) {
  const auto inputs = std::ssize(s.square);
  std::vector<std::int32_t> order(static_cast<std::size_t>(inputs));
  std::iota(order.begin(), order.end(), 0);
  const auto energy = [&](std::int32_t j) { return s.square[static_cast<std::size_t>(j)]; };
  const auto by_energy = [&](std::int32_t a, std::int32_t b) { return energy(a) > energy(b); };
  if (kind == Order::kNatural) return order;
  if (kind == Order::kActivation) {
    std::stable_sort(order.begin(), order.end(), by_energy);
    return order;
  }
  std::vector<std::int32_t> groups(static_cast<std::size_t>(inputs / group));
  std::iota(groups.begin(), groups.end(), 0);
  std::vector<float> peak;
  for (std::int64_t g = 0; g < inputs; g += group)
    peak.push_back(*std::max_element(s.square.begin() + g, s.square.begin() + g + group));
  std::stable_sort(groups.begin(), groups.end(), [&](std::int32_t a, std::int32_t b) {
    return peak[static_cast<std::size_t>(a)] > peak[static_cast<std::size_t>(b)];
  });
  std::vector<std::int32_t> ordered;
  for (const std::int32_t g : groups) {
    const auto first = order.begin() + g * group;
    std::stable_sort(first, first + group, by_energy);
    ordered.insert(ordered.end(), first, first + group);
  }
  return ordered;
}

// U with H^-1 = U^T U. Turning H upside down makes its Cholesky factor's inverse just that.
// False when H is not positive with this damping.
bool factor_inverse(Runtime& runtime, const calibrate::LinearStatistics& s,
                    std::span<const std::int32_t> order, double added, Matrix<float>& factor) {
  const std::int64_t n = std::ssize(order);
  Matrix<float> reversed(n, n);
  const auto from = s.hessian.view();
  const auto to = reversed.view();
  const auto at = [&](std::int64_t i) { return order[static_cast<std::size_t>(n - 1 - i)]; };
  runtime.parallel(n, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* row = from.row_data(at(i));
      for (std::int64_t j = 0; j < n; ++j) to.row_data(i)[j] = row[at(j)];
      // A dead input has no energy: any value for its weight is right.
      const float energy = to.row_data(i)[i];
      to.row_data(i)[i] = (energy > 0 ? energy : 1.0f) + static_cast<float>(added);
    }
  });
  if (!kernels::cholesky(runtime, to)) return false;
  kernels::invert_triangle(runtime, to);
  const auto out = factor.resize(n, n);
  runtime.parallel(n, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t j = 0; j < n; ++j) out.row_data(i)[j] = to.row_data(n - 1 - j)[n - 1 - i];
  });
  return true;
}

// P = weight * strictly upper part of (D U^T) U, D in the order (algorithms.md 1.5).
void make_correction(Runtime& runtime, const calibrate::LinearStatistics& s, double weight,
                     Solver& solver) {
  const std::int64_t n = std::ssize(solver.order);
  Matrix<float> drift(n, n), turned(n, n), product(n, n);
  const auto from = s.drift.view();
  const auto to = drift.view();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      to.row_data(i)[j] =
          static_cast<float>(weight) *
          from.row_data(
              solver.order[static_cast<std::size_t>(i)])[solver.order[static_cast<std::size_t>(j)]];
  kernels::transpose(runtime, solver.factor.view(), turned.view());
  const auto clear = [](MatrixView<float> m) { std::fill_n(m.data, m.rows * m.cols, 0.0f); };
  clear(product.view());
  kernels::add_product(runtime, drift.view(), turned.view(), product.view());
  for (std::int64_t i = 0; i < n; ++i) std::fill_n(product.view().row_data(i), i + 1, 0.0f);
  clear(solver.correction.resize(n, n));
  kernels::add_product(runtime, product.view(), solver.factor.view(), solver.correction.view());
  for (std::int64_t i = 0; i < n; ++i)
    std::fill_n(solver.correction.view().row_data(i), i + 1, 0.0f);
}

std::shared_ptr<const Solver> make_solver(Runtime& runtime, const calibrate::LinearStatistics& s,
                                          const Options& options, std::int64_t group) {
  auto solver = std::make_shared<Solver>();
  solver->order = make_order(s, options.order, group);
  const double mean =
      std::accumulate(s.square.begin(), s.square.end(), 0.0) / static_cast<double>(s.square.size());
  const double unit = mean > 0 ? mean : 1.0;
  double damping = options.damping;
  for (int tries = 0; !factor_inverse(runtime, s, solver->order, damping * unit, solver->factor);
       ++tries) {
    if (tries == 20) bad_input("the Hessian of its inputs cannot be inverted at any damping");
    damping = std::max(2 * damping, 1e-4);
  }
  solver->damping = damping;
  for (const float square : s.square)
    solver->importance.push_back(square + static_cast<float>(damping * unit));
  if (options.asymmetric > 0 && s.drift.shape().rows > 0)
    make_correction(runtime, s, options.asymmetric, *solver);
  return solver;
}

class GptqRounder final : public Rounder {
 public:
  GptqRounder(std::shared_ptr<const Solver> solver, const Options& options, IsaSet isas)
      : solver_(std::move(solver)), options_(options), isas_(isas) {}
  std::int64_t grain() const override { return 24; }
  void round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override;

 private:
  struct Work;
  void fix_group(Work& work, std::int64_t group) const;
  void round_inputs(Work& work, std::int64_t begin, std::int64_t end) const;

  std::shared_ptr<const Solver> solver_;
  Options options_;
  IsaSet isas_;
};

// Some rows on their way, inputs in the solver's order.
struct GptqRounder::Work {
  WeightScheme scheme;
  std::int64_t group_inputs = 0;
  Matrix<float> weights, errors, before;  // (rows, in), (rows, block), (rows, block)
  Matrix<float> natural;                  // (rows, in) in the order of the file: for grids
  Matrix<float> scales, zeros;            // (rows, groups)
  std::vector<std::uint8_t> codes;        // (rows, in) in the order of the file
  std::vector<std::uint8_t> scratch;
  std::unique_ptr<GroupRounder> grids;
};

// The grid of one group of every row, from the weights as they are now.
void GptqRounder::fix_group(Work& work, std::int64_t group) const {
  const std::int64_t first = group * work.group_inputs;
  const auto count = static_cast<std::size_t>(work.group_inputs);
  const auto importance =
      std::span(solver_->importance).subspan(static_cast<std::size_t>(first), count);
  for (std::int64_t r = 0; r < work.natural.view().rows; ++r) {
    const auto weights =
        std::as_const(work.natural).view().row(r).subspan(static_cast<std::size_t>(first), count);
    const GroupGrid grid = work.grids->round(weights, importance, work.scratch);
    if (!std::isfinite(grid.scale))
      bad_input("row {}, columns from {}: the weights are beyond what a scale can hold", r, first);
    work.scales.view().row_data(r)[group] = grid.scale;
    work.zeros.view().row_data(r)[group] =
        work.scheme.symmetric ? static_cast<float>(1 << (work.scheme.bits - 1)) : grid.zero;
  }
}

// Positions begin .. end of the order, errors passed on within them at once and kept for the rest.
void GptqRounder::round_inputs(Work& work, std::int64_t begin, std::int64_t end) const {
  const auto u = solver_->factor.view(), p = solver_->correction.view();
  const bool corrects = p.rows > 0;
  const auto top = static_cast<float>((1 << work.scheme.bits) - 1);
  // 8 bits within +-127, as the scheme says: the lowest code is not used.
  const float bottom = work.scheme.symmetric && work.scheme.bits == 8 ? 1.0f : 0.0f;
  const std::int64_t inputs = work.weights.view().cols;
  for (std::int64_t r = 0; r < work.weights.view().rows; ++r) {
    float* w = work.weights.view().row_data(r);
    float* errors = work.errors.view().row_data(r);
    float* before = work.before.view().row_data(r);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t input = solver_->order[static_cast<std::size_t>(i)];
      const std::int64_t group = input / work.group_inputs;
      const float scale = work.scales.view().row_data(r)[group];
      const float zero = work.zeros.view().row_data(r)[group];
      const float code =
          scale == 0 ? zero : std::clamp(std::nearbyintf(w[i] / scale + zero), bottom, top);
      work.codes[static_cast<std::size_t>(r * inputs + input)] = static_cast<std::uint8_t>(code);
      const float error = (w[i] - scale * (code - zero)) / u.row_data(i)[i];
      errors[i - begin] = error;
      before[i - begin] = w[i];
      const float* row = u.row_data(i);
      if (!corrects) {
        for (std::int64_t j = i + 1; j < end; ++j) w[j] -= error * row[j];
      } else {
        const float* pull = p.row_data(i);
        const float was = w[i];
        for (std::int64_t j = i + 1; j < end; ++j) w[j] += was * pull[j] - error * row[j];
      }
    }
  }
}

void GptqRounder::round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
                        std::int64_t out_first) const {
  const std::int64_t inputs = rows.cols;
  Work work;
  work.scheme = out.scheme;
  work.group_inputs = out.scheme.strategy == Strategy::kGroup ? out.scheme.group_size : inputs;
  const std::int64_t groups = inputs / work.group_inputs;
  work.grids = std::make_unique<GroupRounder>(out.scheme, options_.range, work.group_inputs);
  work.scratch.resize(static_cast<std::size_t>(work.group_inputs));
  work.codes.resize(static_cast<std::size_t>(rows.rows * inputs));
  work.scales.resize(rows.rows, groups);
  work.zeros.resize(rows.rows, groups);
  const auto natural = work.natural.resize(rows.rows, inputs);
  const auto weights = work.weights.resize(rows.rows, inputs);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::int64_t j = 0; j < inputs; ++j) {
      if (!std::isfinite(rows.row_data(r)[j]))
        bad_input("row {}, column {}: the weight is {}; weights must be numbers", first + r, j,
                  rows.row_data(r)[j]);
      natural.row_data(r)[j] = rows.row_data(r)[j];
    }
    for (std::int64_t i = 0; i < inputs; ++i)
      weights.row_data(r)[i] = rows.row_data(r)[solver_->order[static_cast<std::size_t>(i)]];
  }
  const bool fixed = options_.order == Order::kActivation || groups == 1;
  if (fixed)
    for (std::int64_t g = 0; g < groups; ++g) fix_group(work, g);
  const auto u = solver_->factor.view(), p = solver_->correction.view();
  // A block ends with its group where the grid is found on updated weights.
  const std::int64_t step = fixed ? options_.block : std::min(options_.block, work.group_inputs);
  work.errors.resize(rows.rows, step);
  work.before.resize(rows.rows, step);
  for (std::int64_t begin = 0; begin < inputs; begin += step) {
    const std::int64_t end = std::min(begin + step, inputs), rest = inputs - end;
    if (!fixed && begin % work.group_inputs == 0) {
      const std::int64_t group =
          solver_->order[static_cast<std::size_t>(begin)] / work.group_inputs;
      for (std::int64_t i = begin; i < begin + work.group_inputs; ++i)
        for (std::int64_t r = 0; r < rows.rows; ++r)
          natural.row_data(r)[solver_->order[static_cast<std::size_t>(i)]] = weights.row_data(r)[i];
      fix_group(work, group);
    }
    round_inputs(work, begin, end);
    if (rest == 0) break;
    const auto to = weights.cols_from(end, rest);
    const auto take = [&](MatrixView<const float> factor, MatrixView<const float> values,
                          float sign) {
      kernels::add_product_here(isas_, values.cols_from(0, end - begin),
                                factor.rows_from(begin, end - begin).cols_from(end, rest), to,
                                sign);
    };
    take(u, work.errors.view(), -1.0f);
    if (p.rows > 0) take(p, work.before.view(), 1.0f);
  }
  std::vector<float> offsets(static_cast<std::size_t>(groups));
  const auto bias = static_cast<float>(1 << (work.scheme.bits - 1));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const auto scales = work.scales.view().row(r), zeros = work.zeros.view().row(r);
    for (std::size_t g = 0; g < offsets.size(); ++g) offsets[g] = scales[g] * (bias - zeros[g]);
    out.format->write_grid(out, out_first + r,
                           {.codes = std::span(work.codes)
                                         .subspan(static_cast<std::size_t>(r * inputs),
                                                  static_cast<std::size_t>(inputs)),
                            .scales = scales,
                            .offsets = offsets});
  }
}

class Gptq final : public Step {
 public:
  explicit Gptq(const Options& options) : options_(options) {}

  unsigned statistics(const PlannedUnit& unit) const override {
    if (!rounds(unit)) return calibrate::kNoStatistics;
    return calibrate::kHessian |
           (options_.asymmetric > 0 ? calibrate::kDrift : calibrate::kNoStatistics);
  }

  std::unique_ptr<Rounder> rounder(Runtime& runtime, const PlannedUnit& unit,
                                   const calibrate::LinearStatistics* inputs) override {
    // Outside of the blocks, and where no token came by, nothing is known: round to nearest.
    if (!rounds(unit) || inputs == nullptr || inputs->tokens == 0)
      return nearest_rounder(options_.range);
    const std::int64_t group =
        unit.scheme.strategy == Strategy::kGroup ? unit.scheme.group_size : unit.shape.cols;
    if (inputs != solved_ || group != solved_group_ || inputs->tokens != solved_tokens_ ||
        stage_ != calibrate::stage_of(unit.unit.slot) || layer_ != unit.unit.layer) {
      solver_ = make_solver(runtime, *inputs, options_, group);
      solved_ = inputs;
      solved_group_ = group;
      solved_tokens_ = inputs->tokens;
      stage_ = calibrate::stage_of(unit.unit.slot);
      layer_ = unit.unit.layer;
    }
    return std::make_unique<GptqRounder>(solver_, options_, runtime.isas);
  }

 private:
  static bool rounds(const PlannedUnit& unit) {
    return unit.is_compressed() && unit.scheme.element == Element::kInt &&
           unit.scheme.block.empty() && calibrate::stage_of(unit.unit.slot) != model::Slot::kNone;
  }

  Options options_;
  std::shared_ptr<const Solver> solver_;  // of the last input
  const calibrate::LinearStatistics* solved_ = nullptr;
  std::int64_t solved_group_ = 0, solved_tokens_ = 0;
  model::Slot stage_ = model::Slot::kNone;
  int layer_ = -1;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  if (const Setting* order = settings.find("order"))
    options.order = static_cast<Order>(choice_of(*order, "order of gptq", kOrders));
  if (const Setting* range = settings.find("range")) options.range = range_of(*range, "gptq");
  const auto number = [&](std::string_view key, double& value, double least, double most) {
    const Setting* setting = settings.find(key);
    if (setting == nullptr) return;
    value = number_of(*setting, key);
    if (!(value >= least && value <= most))
      bad_input("{}: {} of gptq must be from {} to {}; got {}", setting->where, key, least, most,
                value);
  };
  number("damping", options.damping, 0, 10);
  number("asymmetric_calibration", options.asymmetric, 0, 1);
  if (const Setting* block = settings.find("block"))
    options.block = integer_of(*block, "block", 1, 4096);
  return std::make_unique<Gptq>(options);
}

}  // namespace

StepRow gptq_step() {
  return {.name = "gptq",
          .summary = "round input by input and make up for the error in the others",
          .keys = kKeys,
          .rounds = true,
          .make = make};
}

}  // namespace farthing::compress
