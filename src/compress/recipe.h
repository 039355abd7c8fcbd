// What to do to a model, as data: DESIGN.md section 6. The command line's --scheme and --method are
// shorthand for a recipe; the effective recipe is stored in the artefact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/statistics.h"
#include "compress/setting.h"
#include "formats/quant_scheme.h"

namespace farthing::compress {

// Gives the matrices that `match` names a scheme. The last rule that matches a matrix counts.
struct LayerRule {
  std::string match;  // "re:" and a regular expression, or the checkpoint's own name
  QuantScheme scheme;
  std::string scheme_text;  // as written; "keep": as the checkpoint has it
  bool keep = false;
  std::optional<ActivationMode> activations;  // of these matrices; else the recipe's
  std::string where;
};

struct StepSetting {
  std::string name;
  Setting options;  // a map, or nothing
  std::string where;
};

struct CalibrationSetting {
  std::vector<std::string> texts;
  std::int64_t samples = 128, length = 512, seed = 1;
  double first_token = calibrate::kFirstWeight;  // what it counts: SampleRows::first_weight
  bool operator==(const CalibrationSetting&) const = default;
};

// The matrices of blocks whose rounding costs most keep more bits, so many as the budget allows.
struct FallbackSetting {
  std::string scheme = "bf16";
  double budget = 0.1;  // most of the blocks' weights that may have it, as a share
  bool operator==(const FallbackSetting&) const = default;
};
// "bf16=0.1", as on the command line. Error: usage.
FallbackSetting parse_fallback(std::string_view text, std::string_view where);

struct Recipe {
  std::string model;
  std::optional<FallbackSetting> fallback;
  std::optional<CalibrationSetting> calibration;
  std::vector<LayerRule> layers;
  std::vector<StepSetting> steps;
  std::optional<ActivationMode> activations;  // of every linear; else as the scheme suggests
  std::string kv;                             // "", or "bf16", "fp16", "int8", "int4"
  std::int64_t seed = 0;
};

// Reads the YAML (or JSON) of a recipe. Error: bad input with file and line; unknown keys name the
// nearest. Step names and options are checked when the steps are made.
Recipe parse_recipe(std::string_view text, std::string_view where);
Recipe read_recipe(const std::string& path);

// The recipe as YAML, one way only: what parse_recipe() reads back as the same recipe. The model's
// path is left out, so that the text does not depend on where things lie.
std::string recipe_text(const Recipe& recipe);

// A rule of the command line: "re:.*down_proj$=w8g32". Error: usage.
LayerRule parse_layer_rule(std::string_view text, std::string_view where);
LayerRule make_rule(std::string match, std::string_view scheme, std::string where);

// The precisions that keys and values can have. Error: usage, naming `where`.
void check_kv_name(std::string_view name, std::string_view where);

}  // namespace farthing::compress
