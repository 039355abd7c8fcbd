// Sweeps: one recipe with some settings taken through lists of values, as practitioners test them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compress/recipe.h"

namespace farthing::compress {

// A setting and the values it takes. `step` is empty where the text names none.
struct SweepAxis {
  std::string step, key;
  std::vector<std::string> values;
  std::string name() const { return step.empty() ? key : step + "." + key; }
};

// "alpha=0.3:0.9:0.1,gptq.order=activation|groups": axes parted by commas, values by |, or a range
// from:to:step with both ends. Error: usage.
std::vector<SweepAxis> parse_sweep(std::string_view text);

struct SweepPoint {
  std::vector<std::pair<std::string, std::string>> settings;  // axis, value
  Recipe recipe;
  std::string name() const;  // "alpha=0.3 damping=0.01"
};

// All combinations, the last axis changing fastest. A key is scheme (of the rules that --scheme or
// --preset made, else of the first), method, activations, kv, samples, length, seed, or an option
// of a step that the recipe has. Error: usage for an unknown key, an ambiguous one, a value that
// the setting cannot have, or more than kMostSweepPoints combinations.
inline constexpr std::size_t kMostSweepPoints = 1000;
std::vector<SweepPoint> sweep_points(const Recipe& recipe, const std::vector<SweepAxis>& axes);

}  // namespace farthing::compress
