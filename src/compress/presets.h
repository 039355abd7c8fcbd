// Where a user starts: a name and a number of bits become a recipe (docs/presets.md).
#pragma once

#include <span>
#include <string_view>

#include "compress/recipe.h"

namespace farthing::compress {

struct Preset {
  std::string_view name, summary, method;  // as --method takes it
  std::int64_t samples = 0, length = 0;    // of calibration; 0: it needs none
};
std::span<const Preset> presets();

// The recipe of a preset for weights of 2 to 8 bits. Error: usage; names what is known.
Recipe preset_recipe(std::string_view name, std::int64_t bits);

}  // namespace farthing::compress
