#include "compress/fallback.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

using calibrate::HiddenStates;
using calibrate::stage_of;
using model::Slot;

constexpr std::int64_t kProbeTokens = 2048;

bool is_candidate(const PlannedUnit& unit) {
  return unit.is_compressed() && stage_of(unit.unit.slot) != Slot::kNone;
}

void copy(const HiddenStates& from, HiddenStates& to) {
  const auto source = from.view();
  std::copy_n(source.data, source.rows * source.cols, to.view().data);
}

// Mean over tokens of |trial - exact|^2 / |exact|^2.
double distance(MatrixView<const float> exact, MatrixView<const float> trial) {
  double sum = 0;
  for (std::int64_t t = 0; t < exact.rows; ++t) {
    double error = 0, whole = 0;
    for (std::int64_t j = 0; j < exact.cols; ++j) {
      const double is = exact.row_data(t)[j],
                   wrong = static_cast<double>(trial.row_data(t)[j]) - is;
      error += wrong * wrong;
      whole += is * is;
    }
    if (whole > 0) sum += error / whole;
  }
  return sum / static_cast<double>(exact.rows);
}

// The first samples, about kProbeTokens tokens.
calibrate::CalibrationData first_of(const calibrate::CalibrationData& data) {
  calibrate::CalibrationData some;
  std::int64_t tokens = 0;
  for (const calibrate::Sample& sample : data.samples) {
    if (tokens >= kProbeTokens) break;
    some.samples.push_back(sample);
    tokens += std::ssize(sample.tokens);
  }
  return some;
}

}  // namespace

double CalibratedBlocks::cost_of(Block& block, const PlannedUnit& unit,
                                 const calibrate::Collected& ranges, const HiddenStates& exact,
                                 HiddenStates& trial) {
  FinishedMatrix made{&unit, {}, {.base = unit.base}};
  for (const Block::Place& place : block.places()) {
    if (place.unit != &unit) continue;
    round_matrix(block, place, nullptr, made);
    fix_input_scale(place, ranges, made.result);
  }
  put_finished(made);
  model_->blocks().forget();
  copy(*states_, trial);
  runner_.advance(*model_, block.layer(), trial);
  overlay_.drop(unit.base);
  put_edits(block, overlay_);
  return distance(exact.view(), trial.view());
}

std::vector<CalibratedBlocks::MatrixCost> CalibratedBlocks::probe(int layer) {
  overlay_.clear();
  float_overlay_.clear();
  model_->blocks().forget();
  Block block(runtime_, map_, plan_, layer);
  transform(block);
  const std::int64_t tokens = samples_.tokens(), hidden = map_.config().hidden;
  HiddenStates exact(tokens, hidden), trial(tokens, hidden);
  copy(*states_, exact);
  runner_.advance(*model_, layer, exact);
  calibrate::Wanted wanted;
  for (const Block::Place& place : block.places())
    if (place.unit->has_static_inputs())
      wanted[{stage_of(place.unit->unit.slot), place.expert}] |= calibrate::kMoments;
  calibrate::Collected ranges;
  if (!wanted.empty()) ranges = runner_.collect(*model_, layer, *states_, wanted);
  std::vector<MatrixCost> costs;
  for (const PlannedUnit& unit : plan_.units)
    if (unit.unit.layer == layer && is_candidate(unit))
      costs.push_back({&unit, cost_of(block, unit, ranges, exact, trial)});
  copy(exact, *states_);
  return costs;
}

std::uint64_t fallback_need(const model::TensorMap& map, const Plan& plan,
                            std::span<const std::unique_ptr<Step>> steps,
                            const calibrate::CalibrationData& data) {
  const std::int64_t tokens = first_of(data).tokens();
  // Beside the states that a run has: what a block gives exactly, and in a trial.
  const auto trial = static_cast<std::uint64_t>(2 * tokens * map.config().hidden) * sizeof(float);
  return CalibratedBlocks::memory_need(map, plan, steps, tokens, false) + trial;
}

void choose_fallback(Runtime& runtime, const model::TensorMap& map, Plan& plan,
                     std::span<const std::unique_ptr<Step>> steps,
                     const calibrate::CalibrationData& data, const FallbackSetting& setting,
                     const CalibrationOptions& options, Progress& progress) {
  const calibrate::CalibrationData some = first_of(data);
  std::vector<CalibratedBlocks::MatrixCost> costs;
  {
    CalibratedBlocks blocks(runtime, map, plan, steps, some, options);
    for (int layer = 0; layer < map.config().layers; ++layer) {
      for (const auto& cost : blocks.probe(layer)) costs.push_back(cost);
      progress.update("blocks probed", layer + 1, map.config().layers);
      if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    }
  }
  double room = 0;
  for (const auto& cost : costs) room += setting.budget * static_cast<double>(cost.unit->weights());
  const auto gain = [](const CalibratedBlocks::MatrixCost& cost) {
    return cost.cost / static_cast<double>(cost.unit->weights());
  };
  std::ranges::stable_sort(costs, [&](const auto& a, const auto& b) { return gain(a) > gain(b); });
  const QuantScheme scheme = parse_scheme(setting.scheme);
  const bool edits =
      std::ranges::any_of(steps, [](const auto& step) { return step->transforms(); });
  for (const auto& cost : costs) {
    const auto weights = static_cast<double>(cost.unit->weights());
    if (weights > room) continue;
    room -= weights;
    PlannedUnit& unit = plan.units[static_cast<std::size_t>(cost.unit - plan.units.data())];
    plan.substitute(unit, scheme.weights, "rounding it costs most (fallback)");
    if (edits) unit.keep = false;  // what is folded into it is not in the checkpoint
    unit.activations_are_named = unit.is_compressed() && unit.scheme.plain;
    unit.activations =
        unit.activations_are_named ? scheme.activations : resolve_activations(unit.scheme, nullptr);
    progress.note(fmt::format("fallback: {} to {}, cost {:.3e}", unit.base,
                              scheme_name(unit.scheme), cost.cost));
  }
}

}  // namespace farthing::compress
