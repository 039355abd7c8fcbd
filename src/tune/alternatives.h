// What a unit of a model may become: a weight scheme with an activation mode, or what it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/recipe.h"
#include "formats/quant_scheme.h"
#include "kernels/attention/attention.h"

namespace farthing::tune {

struct Alternative {
  std::string name;  // "w4g64", "w4g64:int16", "keep"; of the key-value cache: "fp16", "int8"
  bool keep = false;
  std::optional<ActivationMode> activations;  // after the colon; else what the scheme suggests
  std::optional<kernels::KvType> kv;          // an alternative of the cache, else of weights

  // The rule of a recipe that asks for it.
  compress::LayerRule rule(std::string match) const;
};

// The first alternative of every unit and what all is measured against.
inline constexpr std::string_view kKeep = "keep";

// "w8g32,w4g64:int16" in their order, "keep" before them. Error: usage, for an empty list, a scheme
// or mode that is not known, one named twice, or block types of GGUF, which artefacts cannot hold.
std::vector<Alternative> parse_alternatives(std::string_view names);
// "fp16,int8,int4". Error: usage.
std::vector<Alternative> parse_caches(std::string_view names);

}  // namespace farthing::tune
