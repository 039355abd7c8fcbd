// The factor of the inverse Hessian of a layer's squared output error, by which GPTQ and SparseGPT
// pass the error of one input on to those after it. Matrices that read one input share it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "calibrate/statistics.h"
#include "compress/plan.h"
#include "core/runtime.h"

namespace farthing::compress {

// kActivation: inputs by falling energy. kGroups: groups by their strongest input, inputs by energy
// within. kNatural: as they lie.
enum class InputOrder : std::uint8_t { kNatural, kActivation, kGroups };

struct SolverOptions {
  InputOrder order = InputOrder::kActivation;
  double damping = 0.1;   // of the mean of the diagonal, added to it: docs/adr/0069
  double asymmetric = 0;  // weight of the correction towards the float model's outputs (GPTAQ)
};

struct Solver {
  std::vector<std::int32_t> order;  // position -> input
  Matrix<float> factor;             // L, lower, with H^-1 = L L^T, in the order
  Matrix<float> correction;         // GPTAQ's P, turned: strictly lower; empty without
  std::vector<float> importance;    // (in) diagonal of H, damped
  double damping = 0;               // that it took
};

// statistics with a Hessian, and a drift for the correction. group: inputs of a group of the
// scheme, for kGroups. Error: bad input when no damping makes the Hessian positive.
std::shared_ptr<const Solver> make_solver(Runtime& runtime,
                                          const calibrate::LinearStatistics& statistics,
                                          const SolverOptions& options, std::int64_t group);

// Inputs that share a scale; the whole row when there are no groups.
std::int64_t group_of(const PlannedUnit& unit);

// Keeps the solver of the last input: matrices that read the same one come one after the other.
class SolverCache {
 public:
  std::shared_ptr<const Solver> get(Runtime& runtime, const PlannedUnit& unit,
                                    const calibrate::LinearStatistics& inputs,
                                    const SolverOptions& options);

 private:
  std::shared_ptr<const Solver> solver_;
  const calibrate::LinearStatistics* inputs_ = nullptr;
  std::int64_t group_ = 0, tokens_ = 0;
  model::Slot stage_ = model::Slot::kNone;
  int layer_ = -1;
};

}  // namespace farthing::compress
