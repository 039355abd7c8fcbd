// The space that is searched: the units of a model and what each may become.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compress/plan.h"
#include "compress/step.h"
#include "model/tensor_map.h"
#include "tune/alternatives.h"

namespace farthing::tune {

// What gets one precision: a source linear, all experts' linears of one slot of a layer, the
// embedding, the head, or the key-value cache.
struct Unit {
  std::string name;  // the checkpoint's own; of a set of experts its first member's; "kv"
  std::string kind;  // "q", "k", "v", "qkv", "o", "gate", "up", "down", "experts.gate", ... "kv"
  int layer = -1;
  std::int64_t weights = 0;
  std::vector<std::size_t> members;  // units of the plan; none for the cache
  bool is_cache() const { return members.empty(); }
};

// A unit's alternative.
struct Swap {
  std::size_t unit = 0, alternative = 0;
  bool operator==(const Swap&) const = default;
};

class Space {
 public:
  // The map is borrowed. Error: usage or unsupported for a scheme that the model cannot have.
  Space(const model::TensorMap& map, std::vector<Alternative> weights,
        std::vector<Alternative> caches, const compress::PlanOptions& options);

  const model::TensorMap& map() const { return map_; }
  const std::vector<Unit>& units() const { return units_; }
  // In the order in which users named them; the first of weights is "keep".
  const std::vector<Alternative>& alternatives(const Unit& unit) const {
    return unit.is_cache() ? caches_ : weights_;
  }
  const Alternative& alternative(const Swap& swap) const {
    return alternatives(units_[swap.unit])[swap.alternative];
  }
  // Whether it is a choice of its own for this unit: not where it falls to another one (a group
  // that does not divide the rows), nor where the options rule it out.
  bool offers(const Swap& swap) const { return offered_[swap.unit][swap.alternative]; }
  // The alternative itself, or the one before it that is the same for this unit, else the nearest
  // before it.
  std::size_t offered_like(const Swap& swap) const;
  // How a matrix of the model looks in an alternative.
  const compress::PlannedUnit& planned(std::size_t member, std::size_t alternative) const {
    return plans_[alternative].units[member];
  }
  const compress::Plan& plan(std::size_t alternative) const { return plans_[alternative]; }
  // What happens to a matrix in this alternative besides the recipe's steps.
  std::span<const std::unique_ptr<compress::Step>> steps(std::size_t alternative) const {
    return steps_[alternative];
  }
  // Whether the weights of two alternatives are the same ones, whatever their activations.
  bool same_weights(std::size_t member, std::size_t a, std::size_t b) const;
  std::size_t matrices() const { return plans_[0].units.size(); }
  // Bytes in the artefact; 0 for the cache.
  std::uint64_t bytes(const Swap& swap) const;
  bool tied() const { return plans_[0].tied; }

 private:
  void find_units();
  bool is_offered(const Swap& swap) const;
  bool is_same(std::size_t unit, std::size_t a, std::size_t b) const;

  const model::TensorMap& map_;
  std::vector<Alternative> weights_, caches_;
  compress::PlanOptions options_;
  std::vector<compress::Plan> plans_;  // one an alternative of weights, units in equal order
  std::vector<std::vector<std::unique_ptr<compress::Step>>> steps_;  // of each
  std::vector<Unit> units_;
  std::vector<std::vector<bool>> offered_;
};

// What a model of the space is, unit by unit: the alternative of each.
using Mix = std::vector<std::size_t>;
// The rules and steps of a recipe and the type of the cache that make the mix.
void apply_mix(const Space& space, const Mix& mix, compress::Recipe& recipe);

}  // namespace farthing::tune
