#include "tune/alternatives.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace farthing::tune {
namespace {

Alternative parse_weights(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string scheme = text.substr(0, colon);
  Alternative alternative{.name = text, .keep = false, .activations = {}, .kv = {}};
  if (colon != std::string::npos)
    alternative.activations = parse_activation_mode(text.substr(colon + 1));
  const QuantScheme parsed = parse_scheme(scheme);
  if (!parsed.weights.block.empty())
    usage_error("--schemes: {} is a block type of GGUF files, which an artefact cannot hold",
                printable(scheme));
  if (!parsed.activations.dynamic)
    usage_error(
        "--schemes: {} has static activations, whose ranges compress alone measures; w8a8 is "
        "dynamic",
        printable(scheme));
  return alternative;
}

void add(std::vector<Alternative>& to, Alternative alternative, std::string_view option) {
  for (const Alternative& other : to)
    if (other.name == alternative.name)
      usage_error("{}: {} is named twice", option, printable(alternative.name));
  to.push_back(std::move(alternative));
}

}  // namespace

compress::LayerRule Alternative::rule(std::string match) const {
  compress::LayerRule made =
      compress::make_rule(std::move(match), name.substr(0, name.find(':')), "tune");
  made.activations = activations;
  return made;
}

std::vector<Alternative> parse_alternatives(std::string_view names) {
  std::vector<Alternative> all = {
      {.name = std::string(kKeep), .keep = true, .activations = {}, .kv = {}}};
  for (const std::string& name : split(names, ',')) {
    if (name.empty())
      usage_error(
          "--schemes: names must be separated by single commas, as in w8g32,w4g64:int16; got "
          "\"{}\"",
          printable(names));
    if (name != kKeep) add(all, parse_weights(name), "--schemes");
  }
  return all;
}

std::vector<Alternative> parse_caches(std::string_view names) {
  std::vector<Alternative> all;
  for (const std::string& name : split(names, ',')) {
    compress::check_kv_name(name, "--caches");
    add(all, {.name = name, .keep = false, .activations = {}, .kv = kernels::parse_kv_type(name)},
        "--caches");
  }
  return all;
}

}  // namespace farthing::tune
