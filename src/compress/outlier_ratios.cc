// Layer-wise ratios of OWL: one pass of the samples through the float model.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/collect.h"
#include "calibrate/data.h"
#include "compress/block.h"
#include "compress/pruning.h"

namespace farthing::compress {
namespace {

using Judge = FunctionRef<double(float score)>;

// The sum of judge(score) over the pruned matrices of a block, rows in order.
double sum_scores(Runtime& runtime, Block& block, FunctionRef<bool(const PlannedUnit&)> prunes,
                  Judge judge) {
  double sum = 0;
  for (const Block::Place& place : block.places()) {
    if (!prunes(*place.unit)) continue;
    const auto* inputs = block.inputs(place.unit->unit.slot, place.expert);
    if (inputs == nullptr || inputs->tokens == 0) continue;
    const auto weights = block.load(place).values.view();
    std::vector<double> rows(static_cast<std::size_t>(weights.rows));
    runtime.parallel(weights.rows, 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t j = 0; j < weights.cols; ++j)
          rows[static_cast<std::size_t>(r)] +=
              judge(std::abs(weights.row_data(r)[j]) *
                    std::sqrt(inputs->square[static_cast<std::size_t>(j)]));
    });
    sum = std::accumulate(rows.begin(), rows.end(), sum);
  }
  return sum;
}

// The share of scores above `times` the mean of the block's scores.
double outlier_share(Runtime& runtime, Block& block, FunctionRef<bool(const PlannedUnit&)> prunes,
                     double times) {
  const double count = sum_scores(runtime, block, prunes, [](float) { return 1.0; });
  if (count == 0) return 0;
  const double mean =
      sum_scores(runtime, block, prunes, [](float s) { return static_cast<double>(s); }) / count;
  return sum_scores(runtime, block, prunes,
                    [&](float s) { return static_cast<double>(s) > times * mean ? 1.0 : 0.0; }) /
         count;
}

}  // namespace

std::vector<double> spread_ratios(const std::vector<double>& shares, double ratio, double spread) {
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
  std::vector<double> ratios(shares.size(), ratio);
  if (!(*most > *least)) return ratios;
  for (std::size_t l = 0; l < shares.size(); ++l)
    ratios[l] = (shares[l] - *least) / (*most - *least) * 2 * spread;
  const double mean =
      std::accumulate(ratios.begin(), ratios.end(), 0.0) / static_cast<double>(ratios.size());
  for (double& r : ratios) r = std::clamp(ratio - (r - mean), 0.0, 0.99);
  return ratios;
}

std::vector<double> outlier_ratios(const Survey& survey, const Plan& plan, double ratio,
                                   const OutlierRatios& options,
                                   FunctionRef<bool(const PlannedUnit&)> prunes) {
  const model::ModelConfig& config = survey.map.config();
  FloatPass pass(survey);
  std::vector<double> shares;
  for (int layer = 0; layer < config.layers; ++layer) {
    Block block(survey.runtime, survey.map, plan, layer);
    calibrate::Wanted wanted;
    for (const Block::Place& place : block.places())
      if (prunes(*place.unit))
        wanted[{calibrate::stage_of(place.unit->unit.slot), place.expert}] = calibrate::kMoments;
    block.set_inputs(pass.collect(layer, wanted));
    shares.push_back(outlier_share(survey.runtime, block, prunes, options.mean));
    pass.advance(layer);
  }
  return spread_ratios(shares, ratio, options.spread);
}

}  // namespace farthing::compress
