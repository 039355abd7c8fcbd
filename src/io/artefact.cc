#include "io/artefact.h"

#include <algorithm>

#include "core/sha256.h"
#include "core/text.h"
#include "io/checkpoint.h"

namespace farthing::io {
namespace {

constexpr std::int64_t kSchema = 1;

struct StrategyWord {
  Strategy strategy;
  std::string_view word;
};
constexpr StrategyWord kStrategies[] = {
    {Strategy::kTensor, "tensor"}, {Strategy::kChannel, "token"}, {Strategy::kGroup, "group"}};
struct ModeWord {
  ActivationMode mode;
  std::string_view word;
};
constexpr ModeWord kModes[] = {{ActivationMode::kF32, "fp32"},
                               {ActivationMode::kBf16, "bf16"},
                               {ActivationMode::kInt16, "int16"},
                               {ActivationMode::kInt8, "int8"}};

bool is_integer(ActivationMode mode) {
  return mode == ActivationMode::kInt8 || mode == ActivationMode::kInt16;
}

Json write_activations(const ActivationScheme& scheme) {
  Json json = Json::object();
  for (const ModeWord& row : kModes)
    if (row.mode == scheme.mode) json["mode"] = row.word;
  if (!is_integer(scheme.mode)) return json;
  for (const StrategyWord& row : kStrategies)
    if (row.strategy == scheme.strategy) json["strategy"] = row.word;
  if (scheme.strategy == Strategy::kGroup) json["group_size"] = scheme.group_size;
  json["dynamic"] = scheme.dynamic;
  if (!scheme.dynamic) json["scale"] = scheme.scale;
  return json;
}

ActivationScheme parse_activations(const Json& json, std::string_view where) {
  ActivationScheme scheme;
  const std::string mode = json_text(json, "mode", where);
  const auto mode_row = std::find_if(std::begin(kModes), std::end(kModes),
                                     [&](const ModeWord& row) { return row.word == mode; });
  if (mode_row == std::end(kModes))
    unsupported("{}: the activation mode \"{}\" is not known", where, printable(mode));
  scheme.mode = mode_row->mode;
  if (!is_integer(scheme.mode)) return scheme;
  const std::string strategy = json_text(json, "strategy", where);
  const auto row = std::find_if(std::begin(kStrategies), std::end(kStrategies),
                                [&](const StrategyWord& s) { return s.word == strategy; });
  if (row == std::end(kStrategies))
    unsupported("{}: the strategy \"{}\" is not known", where, printable(strategy));
  scheme.strategy = row->strategy;
  scheme.group_size = scheme.strategy == Strategy::kGroup ? json_int(json, "group_size", where) : 0;
  if (scheme.group_size < 0 || scheme.group_size > (1 << 20) ||
      (scheme.strategy == Strategy::kGroup && scheme.group_size < 1))
    bad_input("{}: group_size must be from 1 to {}; found {}", where, 1 << 20, scheme.group_size);
  scheme.dynamic = json_bool(json, "dynamic", true, where);
  if (const Json* scale = json_find(json, "scale"); scale != nullptr && !scheme.dynamic) {
    if (!scale->is_number()) bad_input("{}: scale must be a number", where);
    scheme.scale = scale->get<float>();
  }
  return scheme;
}

}  // namespace

const ArtefactLayer* Artefact::find(std::string_view name) const {
  const auto found = std::find_if(layers.begin(), layers.end(),
                                  [&](const ArtefactLayer& l) { return l.name == name; });
  return found == layers.end() ? nullptr : &*found;
}

std::string write_artefact(const Artefact& artefact) {
  Json layers = Json::array();
  for (const ArtefactLayer& layer : artefact.layers) {
    layers.push_back({{"name", layer.name},
                      {"scheme", layer.scheme},
                      {"activations", write_activations(layer.activations)},
                      {"error", layer.error}});
    if (!layer.asked.empty()) layers.back()["asked"] = layer.asked;
  }
  Json json = {{"schema", kSchema},
               {"tool_version", artefact.tool_version},
               {"source_sha256", artefact.source_sha256},
               {"recipe", artefact.recipe},
               {"seed", artefact.seed},
               {"calibration",
                {{"sha256", artefact.calibration_sha256}, {"tokens", artefact.calibration_tokens}}},
               {"kv", artefact.kv},
               {"layers", std::move(layers)}};
  if (artefact.contract) json["contract"] = *artefact.contract;
  return json.dump(1) + "\n";
}

Artefact parse_artefact(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  const std::int64_t schema = json_int(json, "schema", where);
  if (schema > kSchema)
    unsupported("{}: was written by a newer Farthing (schema {}, this one knows {})", where, schema,
                kSchema);
  Artefact artefact;
  artefact.tool_version = json_text(json, "tool_version", "", where);
  artefact.source_sha256 = json_text(json, "source_sha256", "", where);
  artefact.recipe = json_text(json, "recipe", "", where);
  const Json* seed = json_find(json, "seed");
  if (seed != nullptr && !seed->is_number_unsigned())
    bad_input("{}: \"seed\" must be a whole number >= 0; found {}", where, json_shown(*seed));
  artefact.seed = seed == nullptr ? 0 : seed->get<std::uint64_t>();
  if (const Json* calibration = json_find(json, "calibration")) {
    artefact.calibration_sha256 = json_text(*calibration, "sha256", "", where);
    artefact.calibration_tokens = json_int(*calibration, "tokens", 0, where);
  }
  artefact.kv = json_text(json, "kv", "", where);
  const Json* layers = json_find(json, "layers");
  if (layers == nullptr || !layers->is_array())
    bad_input("{}: \"layers\" must be a list; found {}", where,
              layers == nullptr ? "none" : json_shown(*layers));
  for (const Json& layer : *layers) {
    const Json* activations = json_find(layer, "activations");
    const std::string name = json_text(layer, "name", where);
    const std::string what = fmt::format("{}: {}", where, printable(name));
    if (activations == nullptr) bad_input("{}: \"activations\" is missing", what);
    artefact.layers.push_back({.name = name,
                               .scheme = json_text(layer, "scheme", "", what),
                               .activations = parse_activations(*activations, what),
                               .error = json_number(layer, "error", 0.0, what),
                               .asked = json_text(layer, "asked", "", what)});
  }
  if (const Json* contract = json_find(json, "contract")) artefact.contract = *contract;
  return artefact;
}

std::string hash_checkpoint(const Checkpoint& checkpoint) {
  std::vector<const TensorInfo*> tensors;
  for (const TensorInfo& tensor : checkpoint.tensors()) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->name < b->name; });
  Sha256 hash;
  hash.update(checkpoint.config().dump(-1, ' ', false, Json::error_handler_t::replace));
  constexpr std::size_t kPiece = 4 << 20;  // read, hashed and released at a time
  for (const TensorInfo* tensor : tensors) {
    hash.update(fmt::format("\n{} {}", tensor->name, tensor->dtype));
    for (const std::int64_t dim : tensor->shape) hash.update(fmt::format(" {}", dim));
    hash.update("\n");
    for (std::size_t first = 0; first < tensor->bytes.size(); first += kPiece) {
      const ByteSpan piece =
          tensor->bytes.subspan(first, std::min(kPiece, tensor->bytes.size() - first));
      hash.update(piece);
      QuantizedTensor read;
      read.parts.push_back(Bytes::borrow(piece));
      checkpoint.release(read);
    }
  }
  return hash.hex();
}

}  // namespace farthing::io
