#include "compress/hessian_solver.h"

#include <algorithm>
#include <numeric>

#include "calibrate/collect.h"
#include "core/error.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

std::vector<std::int32_t> make_order(const calibrate::LinearStatistics& s, InputOrder kind,
                                     std::int64_t group) {
  const auto inputs = std::ssize(s.square);
  std::vector<std::int32_t> order(static_cast<std::size_t>(inputs));
  std::iota(order.begin(), order.end(), 0);
  const auto energy = [&](std::int32_t j) { return s.square[static_cast<std::size_t>(j)]; };
  const auto by_energy = [&](std::int32_t a, std::int32_t b) { return energy(a) > energy(b); };
  if (kind == InputOrder::kNatural) return order;
  if (kind == InputOrder::kActivation) {
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

// L, lower, with H^-1 = L L^T. Turning H upside down makes its Cholesky factor's inverse just that.
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
      std::reverse_copy(to.row_data(n - 1 - i), to.row_data(n - i), out.row_data(i));
  });
  return true;
}

// P^T, with P = weight * strictly upper part of (D L) L^T, D in the order (algorithms.md 1.5).
void make_correction(Runtime& runtime, const calibrate::LinearStatistics& s, double weight,
                     Solver& solver) {
  const std::int64_t n = std::ssize(solver.order);
  Matrix<float> drift(n, n), product(n, n);
  const auto from = s.drift.view();
  const auto to = drift.view();
  const auto at = [&](std::int64_t i) { return solver.order[static_cast<std::size_t>(i)]; };
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      to.row_data(i)[j] = static_cast<float>(weight) * from.row_data(at(i))[at(j)];
  const auto clear = [](MatrixView<float> m) { std::fill_n(m.data, m.rows * m.cols, 0.0f); };
  clear(product.view());
  kernels::add_product(runtime, to, solver.factor.view(), product.view());
  for (std::int64_t i = 0; i < n; ++i) std::fill_n(product.view().row_data(i), i + 1, 0.0f);
  kernels::transpose(runtime, product.view(), to);
  clear(solver.correction.resize(n, n));
  kernels::add_product(runtime, solver.factor.view(), to, solver.correction.view());
  for (std::int64_t i = 0; i < n; ++i)
    std::fill_n(solver.correction.view().row_data(i) + i, n - i, 0.0f);
}

}  // namespace

std::shared_ptr<const Solver> make_solver(Runtime& runtime, const calibrate::LinearStatistics& s,
                                          const SolverOptions& options, std::int64_t group) {
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

std::int64_t group_of(const PlannedUnit& unit) {
  return unit.scheme.strategy == Strategy::kGroup ? unit.scheme.group_size : unit.shape.cols;
}

std::shared_ptr<const Solver> SolverCache::get(Runtime& runtime, const PlannedUnit& unit,
                                               const calibrate::LinearStatistics& inputs,
                                               const SolverOptions& options) {
  const std::int64_t group = group_of(unit);
  const model::Slot stage = unit.stage();
  if (&inputs == inputs_ && group == group_ && inputs.tokens == tokens_ && stage == stage_ &&
      layer_ == unit.unit.layer)
    return solver_;
  solver_ = make_solver(runtime, inputs, options, group);
  inputs_ = &inputs;
  group_ = group;
  tokens_ = inputs.tokens;
  stage_ = stage;
  layer_ = unit.unit.layer;
  return solver_;
}

}  // namespace farthing::compress
