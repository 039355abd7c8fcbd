#include "tune/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tune/output_error.h"

namespace farthing::tune {
namespace {

constexpr std::int64_t kErrorTokens = 512;  // that output errors are taken at

// log KL on log error between measured neighbours; beyond them, in proportion.
double read_off(std::vector<std::pair<double, double>> anchors, double error) {
  std::ranges::sort(anchors);
  const auto above = std::ranges::find_if(anchors, [&](const auto& a) { return a.first >= error; });
  if (above == anchors.begin()) return above->second * error / above->first;
  const auto below = above - 1;
  if (above == anchors.end() || above->first == below->first)
    return below->second * error / below->first;
  const double at = std::log(error / below->first) / std::log(above->first / below->first);
  return below->second * std::pow(above->second / below->second, at);
}

}  // namespace

Sensitivity::Sensitivity(const Space& space) : space_(space) {
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    const Unit& unit = space.units()[u];
    entries_.emplace_back(space.alternatives(unit).size());
    for (std::size_t a = 0; a < entries_.back().size(); ++a)
      entries_.back()[a].offered = space.offers({u, a});
    if (!unit.is_cache()) entries_.back()[0].measured = true;  // as it is: no divergence
  }
}

void Sensitivity::set_output_error(const Swap& swap, double error) {
  entries_[swap.unit][swap.alternative].output_error = error;
}

void Sensitivity::set_measured(const Swap& swap, const Shift& shift) {
  Entry& entry = entries_[swap.unit][swap.alternative];
  entry.measured = true;
  entry.shift = shift;
}

double Sensitivity::kld(const Swap& swap) const {
  const Entry& entry = at(swap);
  if (entry.measured) return entry.shift.kld;
  std::vector<std::pair<double, double>> anchors;  // error, KL
  for (const Entry& other : entries_[swap.unit])
    if (other.measured && other.output_error > 0 && other.shift.kld > 0)
      anchors.emplace_back(other.output_error, other.shift.kld);
  if (anchors.empty() || entry.output_error <= 0) return 0;
  return read_off(std::move(anchors), entry.output_error);
}

std::optional<Swap> Sensitivity::anchor(std::size_t unit) const {
  const std::vector<Entry>& row = entries_[unit];
  double least = 0, most = 0;
  for (const Entry& entry : row) {
    if (!entry.offered || entry.output_error <= 0) continue;
    if (least == 0 || entry.output_error < least) least = entry.output_error;
    most = std::max(most, entry.output_error);
  }
  std::optional<Swap> best;
  double best_distance = 0;
  for (std::size_t a = 0; a < row.size(); ++a) {
    if (!row[a].offered || row[a].measured) continue;
    if (least == 0) return Swap{unit, a};
    if (row[a].output_error <= 0) continue;
    const double distance = std::abs(std::log(row[a].output_error / std::sqrt(least * most)));
    if (!best || distance < best_distance) best = {unit, a}, best_distance = distance;
  }
  return best;
}

std::size_t Sensitivity::measured() const {
  std::size_t count = 0;
  for (const auto& row : entries_)
    count += static_cast<std::size_t>(
        std::ranges::count_if(row, [](const Entry& e) { return e.offered && e.measured; }));
  return count;
}

std::size_t Sensitivity::offered() const {
  std::size_t count = 0;
  for (const auto& row : entries_)
    count += static_cast<std::size_t>(std::ranges::count_if(row, &Entry::offered));
  return count;
}

void measure_entries(Probe& probe, std::span<const Swap> swaps, Sensitivity& table,
                     SensitivityCache& cache, Progress& progress) {
  std::int64_t done = 0;
  for (const Swap& swap : swaps) {
    if (progress.cancelled()) {
      cache.save();
      throw Error(Fault::kInterrupted, "interrupted; the same call goes on from here");
    }
    if (table.at(swap).offered && !table.at(swap).measured) {
      table.set_measured(swap, probe.measure({&swap, 1}));
      cache.put(table, swap);
      cache.save_now_and_then();
    }
    progress.update("measurements", ++done, std::ssize(swaps));
  }
  cache.save();
}

namespace {

void find_output_errors(Runtime& runtime, Probe& probe, RoundedWeights& weights, int layer,
                        Sensitivity& table, SensitivityCache& cache) {
  std::vector<Swap> missing;
  const std::vector<Unit>& units = table.space().units();
  for (std::size_t u = 0; u < units.size(); ++u) {
    if (units[u].is_cache() || units[u].layer != layer) continue;
    for (std::size_t a = 1; a < table.space().alternatives(units[u]).size(); ++a)
      if (const Entry& e = table.at({u, a}); e.offered && e.output_error <= 0)
        missing.push_back({u, a});
  }
  if (missing.empty()) return;
  const Probe::Inputs inputs = probe.inputs_of(layer, kErrorTokens);
  for (const Swap& swap : missing) {
    table.set_output_error(swap, output_error(runtime, table.space(), weights, inputs, swap));
    cache.put(table, swap);
  }
}

}  // namespace

void measure_sensitivity(Runtime& runtime, Probe& probe, RoundedWeights& weights, Effort effort,
                         Sensitivity& table, SensitivityCache& cache, Progress& progress) {
  const Space& space = table.space();
  const auto layers = space.map().config().layers;
  for (int layer = 0; layer < layers; ++layer) {
    if (progress.cancelled()) {
      cache.save();
      throw Error(Fault::kInterrupted, "interrupted; the same call goes on from here");
    }
    find_output_errors(runtime, probe, weights, layer, table, cache);
    cache.save_now_and_then();
    progress.update("layers screened", layer + 1, layers);
  }
  std::vector<Swap> wanted;
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    const bool everything = effort == Effort::kAll || space.units()[u].layer < 0;
    bool has_anchor = false;
    for (std::size_t a = 1; a < space.alternatives(space.units()[u]).size(); ++a)
      has_anchor |= table.at({u, a}).measured;
    if (everything) {
      for (std::size_t a = 0; a < space.alternatives(space.units()[u]).size(); ++a)
        wanted.push_back({u, a});
    } else if (const auto anchor = table.anchor(u); anchor && !has_anchor) {
      wanted.push_back(*anchor);
    }
  }
  measure_entries(probe, wanted, table, cache, progress);
}

}  // namespace farthing::tune
