// What a unit of a model may become: a weight scheme with an activation mode and a method, or what
// it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/recipe.h"
#include "compress/sparsity.h"
#include "formats/quant_scheme.h"
#include "kernels/attention/attention.h"

namespace farthing::tune {

struct Alternative {
  // "w4g64", "w4g64:int16", "w8a8@smooth=0.5", "w4g64@wanda=2:4+rtn", "keep"; of the key-value
  // cache: "fp16", "int8"
  std::string name;
  bool keep = false;
  std::optional<ActivationMode> activations = {};  // after the colon; else what the scheme suggests
  std::optional<kernels::KvType> kv = {};          // an alternative of the cache, else of weights
  // Behind the at sign: what happens to this unit besides the recipe's steps, or in their place.
  std::vector<compress::StepSetting> steps = {};
  std::optional<compress::Sparsity> sparsity = {};  // of these steps

  std::string_view scheme() const;  // of the name
  std::string_view method() const;  // of the name, behind the at sign; "": the recipe's own

  // The rule of a recipe that asks for it.
  compress::LayerRule rule(std::string match) const;
};

// The first alternative of every unit and what all is measured against.
inline constexpr std::string_view kKeep = "keep";

// The steps with "match: BASES", as a recipe has them.
std::vector<compress::StepSetting> matched_steps(const std::vector<compress::StepSetting>& steps,
                                                 const std::vector<std::string>& bases);

// "w8g32,w4g64:int16,w4g64@rtn" in their order, "keep" before them. A method is made of steps that
// treat a matrix by itself, joined by "+": those that round (rtn, search, minmax, gptq, gptaq) take
// the place of the recipe's; magnitude or wanda (=0.5, =2:4) take weights out, smooth (=alpha)
// multiplies inputs before they are rounded. Error: usage, for an empty list, a scheme, mode or
// method that is not known, one named twice, or block types of GGUF, which artefacts cannot hold.
std::vector<Alternative> parse_alternatives(std::string_view names);
// "fp16,int8,int4". Error: usage.
std::vector<Alternative> parse_caches(std::string_view names);

}  // namespace farthing::tune
