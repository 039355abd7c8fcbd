// What the steps that take out single weights share: their options, which matrices they are for,
// how much goes in each layer, and that zeros stay zeros.
#pragma once

#include <string>
#include <vector>

#include "compress/matches.h"
#include "compress/sparsity.h"
#include "compress/step.h"
#include "compress/sweep.h"

namespace farthing::compress {

// Layer-wise ratios after the share of outliers among a layer's scores (OWL, Yin et al., 2024):
// layers with more of them keep more.
struct OutlierRatios {
  bool use = false;
  double mean = 5;       // an outlier is above so many times the mean of its layer's scores
  double spread = 0.08;  // ratios lie within +- this of the mean
};

struct PruningOptions {
  Sparsity sparsity = {.ratio = 0.5};
  Compare compare = Compare::kRow;
  OutlierRatios ratios;
  Matches match;  // of the linears of blocks but routers
  std::string where;
};
inline constexpr std::string_view kPruningKeys[] = {"sparsity",     "ratios",         "compare",
                                                    "outlier_mean", "outlier_spread", "match"};
// Error: bad input.
PruningOptions read_pruning_options(const Setting& settings, std::string_view step,
                                    Compare compare);

// How much of each layer goes, for the scores |w| sqrt(mean x^2) of the float model.
std::vector<double> outlier_ratios(const Survey& survey, const Plan& plan, double ratio,
                                   const OutlierRatios& options,
                                   FunctionRef<bool(const PlannedUnit&)> prunes);

// Between ratio - spread and ratio + spread, falling with a layer's share of outliers, with the
// mean `ratio`.
std::vector<double> spread_ratios(const std::vector<double>& shares, double ratio, double spread);

// Sets pruned[r * in + j] for a matrix of scores (out, in).
void choose_pruned(Runtime& runtime, const Sparsity& sparsity, Compare compare,
                   MatrixView<const float> scores, std::span<std::uint8_t> pruned);

class PruningStep : public Step {
 public:
  PruningStep(PruningOptions options, std::string name)
      : options_(std::move(options)), name_(std::move(name)) {}

  // Units that are pruned are written anew, and later steps keep their zeros. Error: bad input for
  // a pattern that does not divide a row, or a match that is for no matrix.
  void prepare(Plan& plan) override;
  bool surveys() const override { return options_.ratios.use; }
  // Error: unsupported for a scheme whose grid has no exact zero.
  void survey(const Survey& survey, Plan& plan) override;

 protected:
  bool prunes(const PlannedUnit& unit) const;
  // Of this unit; with layer-wise ratios, after survey().
  Sparsity sparsity_of(const PlannedUnit& unit) const;
  const PruningOptions& options() const { return options_; }

 private:
  PruningOptions options_;
  std::string name_;
  std::vector<std::string> bases_;  // sorted
  std::vector<double> ratios_;      // one a layer, or empty
};

}  // namespace farthing::compress
