#include "report/facts.h"

#include <map>

#include "formats/format.h"
#include "io/checkpoint.h"
#include "kernels/attention/attention.h"
#include "model/config.h"
#include "model/tensor_map.h"
#include "report/lookup.h"

namespace farthing::report {
namespace {

std::int64_t kv_bytes_per_token(const model::ModelConfig& c, const std::string& kv) {
  const kernels::KvLayout layout{
      .type = kv.empty() ? kernels::KvType::kF16 : kernels::parse_kv_type(kv),
      .kv_heads = static_cast<int>(c.kv_heads),
      .head_dim = static_cast<int>(c.head_dim)};
  return static_cast<std::int64_t>(layout.bytes_per_token()) * c.layers;
}

}  // namespace

std::string kind_of(std::string_view name) {
  // A part of the rows of a matrix has a column of its own.
  if (const auto rows = name.rfind(".rows."); rows != std::string_view::npos)
    return kind_of(name.substr(0, rows)) + std::string(name.substr(rows));
  std::string_view kind = name.substr(name.rfind('.') + 1);  // npos + 1 is 0
  if (kind.ends_with("_proj")) kind.remove_suffix(5);
  const bool expert = name.find("experts.") != std::string_view::npos &&
                      name.find("shared_experts.") == std::string_view::npos;
  return (expert ? "experts." : "") + std::string(kind);
}

ModelFacts read_facts(const std::string& directory, const Json& artefact) {
  const auto checkpoint = io::Checkpoint::open(directory);
  const auto& architecture = model::architecture_of(*checkpoint);
  const model::ModelConfig config = model::config_of(architecture, *checkpoint);
  const model::TensorMap tensors(architecture, config, *checkpoint);
  ModelFacts facts{.architecture = config.architecture,
                   .kv = text(artefact, {"kv"}),
                   .layers = config.layers,
                   .max_positions = config.max_positions,
                   .matrices = {}};
  facts.kv_bytes_per_token = kv_bytes_per_token(config, facts.kv);
  for (const io::TensorInfo& tensor : checkpoint->tensors())
    facts.weights_bytes += static_cast<std::int64_t>(tensor.bytes.size());
  std::map<std::string, const Json*> recorded;
  for (const Json& layer : list(artefact, {"layers"})) recorded[text(layer, {"name"})] = &layer;
  for (const model::TensorUnit& unit : tensors.linears()) {
    const QuantizedTensor tensor = tensors.load(unit);
    const std::string name = tensors.module_name(unit);
    Layer& layer = facts.matrices.emplace_back();
    layer.name = name;
    layer.kind = kind_of(name);
    layer.scheme = scheme_name(tensor.scheme);
    layer.layer = unit.layer;
    layer.weights = tensor.shape.size();
    layer.bytes = static_cast<std::int64_t>(tensor.bytes());
    facts.parameters += layer.weights;
    const auto found = recorded.find(name);
    if (found == recorded.end()) continue;
    if (const std::string scheme = text(*found->second, {"scheme"}); !scheme.empty())
      layer.scheme = scheme;
    layer.activations = text(*found->second, {"activations", "mode"});
    layer.error = number(*found->second, {"error"});
  }
  return facts;
}

void add_sensitivities(ModelFacts& facts, const Json& tune, const Json& sensitivity) {
  std::map<std::string, double> chosen;                         // by name
  std::map<std::pair<std::string, std::string>, double> every;  // by name and scheme
  for (const Json& layer : list(tune, {"layers"}))
    if (const auto kld = number(layer, {"kld"})) chosen[text(layer, {"name"})] = *kld;
  for (const Json* units : {&list(tune, {"sensitivity"}), &list(sensitivity, {"units"})})
    for (const Json& unit : *units)
      for (const Json& alternative : list(unit, {"alternatives"}))
        if (const auto kld = number(alternative, {"kld"}))
          every[{text(unit, {"name"}), text(alternative, {"scheme"})}] = *kld;
  for (Layer& layer : facts.matrices) {
    if (const auto one = chosen.find(layer.name); one != chosen.end())
      layer.sensitivity = one->second;
    else if (const auto other = every.find({layer.name, layer.scheme}); other != every.end())
      layer.sensitivity = other->second;
  }
  // A set of experts is one unit, under the name of its first.
  std::map<std::pair<int, std::string>, double> sets;
  for (const Layer& layer : facts.matrices)
    if (layer.sensitivity && layer.kind.starts_with("experts."))
      sets.emplace(std::pair(layer.layer, layer.kind), *layer.sensitivity);
  for (Layer& layer : facts.matrices)
    if (const auto set = sets.find({layer.layer, layer.kind});
        set != sets.end() && !layer.sensitivity)
      layer.sensitivity = set->second;
  const std::string kv = facts.kv.empty() ? "fp16" : facts.kv;
  if (const auto one = chosen.find("kv"); one != chosen.end())
    facts.cache_sensitivity = one->second;
  else if (const auto other = every.find({"kv", kv}); other != every.end())
    facts.cache_sensitivity = other->second;
}

}  // namespace farthing::report
