// What each unit of a model costs in each alternative: the KL divergence of the model's output when
// only that unit changes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tune/probe.h"

namespace farthing::tune {

struct Entry {
  bool offered = false, measured = false;
  Shift shift;              // measured, or (kld alone) predicted from the output error
  double output_error = 0;  // of a linear of a block; 0: not known
};

// The table of all units and alternatives. Measuring is dear and the output error is cheap; near
// a model the KL divergence is a quadratic form of the outputs' errors, so that within a unit the
// one grows as the other. What is not measured is therefore read off the unit's measured
// alternatives, by their output errors (docs/adr/0060).
class Sensitivity {
 public:
  // Nothing measured yet.
  explicit Sensitivity(const Space& space);

  const Entry& at(const Swap& swap) const { return entries_[swap.unit][swap.alternative]; }
  void set_output_error(const Swap& swap, double error);
  void set_measured(const Swap& swap, const Shift& shift);
  // The KL divergence, measured or predicted. Units without any measured alternative: 0.
  double kld(const Swap& swap) const;
  // Which alternative of a unit to measure first: the one in the geometric middle of the output
  // errors. Without errors: the first that is not measured.
  std::optional<Swap> anchor(std::size_t unit) const;
  std::size_t measured() const;
  std::size_t offered() const;
  const Space& space() const { return space_; }

 private:
  const Space& space_;
  std::vector<std::vector<Entry>> entries_;
};

// Keeps what was measured on disk, so that a search that was stopped goes on where it was.
class SensitivityCache {
 public:
  // `key` names all that the numbers depend on. path "": nothing is kept. A damaged file, or one of
  // another key, counts as empty. Error: out of resources or bad input, when it cannot be written.
  SensitivityCache(std::string path, std::string key);
  // Fills in what is known of the table.
  void restore(Sensitivity& table) const;
  void put(const Sensitivity& table, const Swap& swap);
  void save();               // writes now what is new
  void save_now_and_then();  // at most once a second

 private:
  std::string path_, key_;
  Json units_ = Json::object();
  bool dirty_ = false;
  double saved_at_ = 0;
};

enum class Effort : std::uint8_t {
  kScreen,  // one measurement a unit, the rest predicted
  kAll,     // every alternative measured
};

// Measures the table. Error: interrupted, with all that was measured saved.
void measure_sensitivity(Runtime& runtime, Probe& probe, RoundedWeights& weights, Effort effort,
                         Sensitivity& table, SensitivityCache& cache, Progress& progress);
// Measures these entries, if they are not yet.
void measure_entries(Probe& probe, std::span<const Swap> swaps, Sensitivity& table,
                     SensitivityCache& cache, Progress& progress);

Json sensitivity_json(const Sensitivity& table);
std::string sensitivity_text(const Sensitivity& table);

}  // namespace farthing::tune
