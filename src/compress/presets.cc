#include "compress/presets.h"

#include <array>

#include "compress/step.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

constexpr std::array kPresets = {
    Preset{"fast", "searched scales, no data, seconds", "rtn", 0, 0},
    Preset{"balanced", "GPTQ in the order of the inputs' energy, minutes", "gptq", 64, 512},
    Preset{"best", "GPTQ towards the float model's outputs (GPTAQ), more data", "gptaq", 128, 512},
};

// Smaller groups where bits are few: their scales are worth their bytes.
std::string_view scheme_of(std::int64_t bits) {
  static constexpr std::array<std::string_view, 7> kSchemes = {"w2g32", "w3g64", "w4g64", "w5g64",
                                                               "w6g64", "w7g64", "w8g32"};
  if (bits < 2 || bits > 8) usage_error("--bits must be from 2 to 8; got {}", bits);
  return kSchemes[static_cast<std::size_t>(bits - 2)];
}

}  // namespace

std::span<const Preset> presets() { return kPresets; }

Recipe preset_recipe(std::string_view name, std::int64_t bits) {
  std::vector<std::string_view> names;
  for (const Preset& preset : kPresets) {
    names.push_back(preset.name);
    if (preset.name != name) continue;
    Recipe recipe;
    recipe.layers.push_back(make_rule("re:.*", scheme_of(bits), "--preset"));
    recipe.steps = steps_of_method(preset.method);
    if (preset.samples > 0) {
      recipe.calibration.emplace();
      recipe.calibration->samples = preset.samples;
      recipe.calibration->length = preset.length;
    }
    return recipe;
  }
  const std::string nearest = nearest_name(name, names);
  usage_error("--preset: unknown preset \"{}\"; known: {}{}", printable(name), join(names, ", "),
              nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

}  // namespace farthing::compress
