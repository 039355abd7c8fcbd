#include "tune/space.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "formats/format.h"
#include "io/checkpoint.h"

namespace farthing::tune {
namespace {

using compress::PlannedUnit;
using model::Slot;

std::string_view kind_of(Slot slot) {
  switch (slot) {
    case Slot::kEmbedding:
      return "embedding";
    case Slot::kHead:
      return "head";
    case Slot::kQ:
      return "q";
    case Slot::kK:
      return "k";
    case Slot::kV:
      return "v";
    case Slot::kQkv:
      return "qkv";
    case Slot::kO:
      return "o";
    case Slot::kGate:
      return "gate";
    case Slot::kUp:
      return "up";
    case Slot::kGateUp:
      return "gate_up";
    case Slot::kDown:
      return "down";
    case Slot::kExpertGate:
      return "experts.gate";
    case Slot::kExpertUp:
      return "experts.up";
    case Slot::kExpertGateUp:
      return "experts.gate_up";
    case Slot::kExpertDown:
      return "experts.down";
    default:
      return "";  // routers and projections stay as they are
  }
}

// The alternative for all that may be compressed, the ends by their names.
compress::Plan plan_of(const model::TensorMap& map, const Alternative& alternative,
                       const compress::PlanOptions& options) {
  compress::Recipe recipe;
  recipe.layers.push_back(alternative.rule("re:.*"));
  recipe.layers.push_back(alternative.rule(map.expected_name(Slot::kEmbedding)));
  if (!map.config().tied) recipe.layers.push_back(alternative.rule(map.expected_name(Slot::kHead)));
  compress::PlanOptions any = options;
  any.portable = false;  // what is not portable is left out unit by unit
  return compress::make_plan(recipe, map, any);
}

// The alternative's own steps.
std::vector<std::unique_ptr<compress::Step>> steps_of(const Alternative& alternative) {
  if (alternative.steps.empty()) return {};
  compress::Recipe recipe;
  recipe.steps = compress::steps_of_method("rtn");  // in the place of what rounds all matrices
  for (auto& step : matched_steps(alternative.steps, {"re:.*"}))
    recipe.steps.push_back(std::move(step));
  auto steps = compress::make_steps(recipe);
  steps.erase(steps.begin());
  return steps;
}

std::uint64_t bytes_of(const PlannedUnit& unit, const io::Checkpoint& checkpoint) {
  if (unit.keep)
    return checkpoint.matrix(unit.base, 0, unit.slices)->bytes() *
           static_cast<std::uint64_t>(unit.slices);
  std::uint64_t sum = 0;
  for (const Part& part : find_format(unit.scheme).parts(unit.written_shape(), unit.scheme))
    sum += part.bytes;
  if (unit.multiplied) sum += static_cast<std::uint64_t>(unit.shape.cols) * sizeof(float);
  return sum * static_cast<std::uint64_t>(unit.slices);
}

}  // namespace

Space::Space(const model::TensorMap& map, std::vector<Alternative> weights,
             std::vector<Alternative> caches, const compress::PlanOptions& options)
    : map_(map), weights_(std::move(weights)), caches_(std::move(caches)), options_(options) {
  for (const Alternative& alternative : weights_) {
    plans_.push_back(plan_of(map, alternative, options));
    steps_.push_back(steps_of(alternative));
    for (const auto& step : steps_.back()) {
      step->prepare(plans_.back());
      step->prepare_model(plans_.back(), map);
    }
  }
  find_units();
  for (std::size_t u = 0; u < units_.size(); ++u) {
    offered_.emplace_back();
    for (std::size_t a = 0; a < alternatives(units_[u]).size(); ++a) {
      const bool offered = is_offered({u, a});
      offered_.back().push_back(offered);
    }
  }
}

void Space::find_units() {
  std::map<std::pair<int, Slot>, std::size_t> sets;  // of experts
  const std::vector<PlannedUnit>& all = plans_[0].units;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const model::TensorUnit& one = all[i].unit;
    std::string_view kind = kind_of(one.slot);
    if (kind.empty()) continue;
    if (one.slot == Slot::kEmbedding && tied()) kind = "head";
    if (model::is_expert(one.slot)) {
      const auto [at, is_new] = sets.emplace(std::pair(one.layer, one.slot), units_.size());
      if (!is_new) {
        units_[at->second].members.push_back(i);
        units_[at->second].weights += all[i].weights();
        continue;
      }
    }
    units_.push_back({.name = all[i].base,
                      .kind = std::string(kind),
                      .layer = one.layer,
                      .weights = all[i].weights(),
                      .members = {i}});
  }
  if (!caches_.empty())
    units_.push_back({.name = "kv", .kind = "kv", .layer = -1, .weights = 0, .members = {}});
}

// Outside of the blocks all methods round to nearest.
bool Space::same_weights(std::size_t member, std::size_t a, std::size_t b) const {
  const PlannedUnit &one = planned(member, a), &other = planned(member, b);
  if (one.scheme != other.scheme || one.keep != other.keep || one.multiplied != other.multiplied)
    return false;
  return one.unit.layer < 0 || weights_[a].method() == weights_[b].method();
}

bool Space::is_same(std::size_t unit, std::size_t a, std::size_t b) const {
  return std::ranges::all_of(units_[unit].members, [&](std::size_t member) {
    return same_weights(member, a, b) &&
           planned(member, a).activations == planned(member, b).activations;
  });
}

bool Space::is_offered(const Swap& swap) const {
  const Unit& unit = units_[swap.unit];
  if (unit.is_cache() || swap.alternative == 0) return true;
  for (std::size_t other = 0; other < swap.alternative; ++other)
    if (is_same(swap.unit, swap.alternative, other)) return false;
  return !options_.portable || std::ranges::none_of(unit.members, [&](std::size_t member) {
    return compress::why_not_portable(planned(member, swap.alternative), tied()).has_value();
  });
}

std::size_t Space::offered_like(const Swap& swap) const {
  if (offers(swap)) return swap.alternative;
  for (std::size_t other = 0; other < swap.alternative; ++other)
    if (offers({swap.unit, other}) && is_same(swap.unit, swap.alternative, other)) return other;
  std::size_t pick = swap.alternative;
  while (pick > 0 && !offers({swap.unit, pick})) --pick;
  return pick;
}

std::uint64_t Space::bytes(const Swap& swap) const {
  std::uint64_t sum = 0;
  for (const std::size_t member : units_[swap.unit].members)
    sum += bytes_of(planned(member, swap.alternative), map_.checkpoint());
  return sum;
}

void apply_mix(const Space& space, const Mix& mix, compress::Recipe& recipe) {
  std::map<std::size_t, std::vector<std::string>> own;  // by alternative: the matrices
  for (std::size_t u = 0; u < mix.size(); ++u) {
    const Unit& unit = space.units()[u];
    const Alternative& chosen = space.alternative({u, mix[u]});
    if (unit.is_cache()) {
      recipe.kv = chosen.name;
      continue;
    }
    if (chosen.keep) continue;
    for (const std::size_t member : unit.members) {
      const std::string& base = space.planned(member, 0).base;
      recipe.layers.push_back(chosen.rule(base));
      if (unit.layer >= 0 && !chosen.steps.empty()) own[mix[u]].push_back(base);
    }
  }
  const std::vector<Alternative>& weights = space.alternatives(space.units().front());
  for (const auto& [alternative, bases] : own)
    for (auto& step : matched_steps(weights[alternative].steps, bases))
      recipe.steps.push_back(std::move(step));
}

}  // namespace farthing::tune
