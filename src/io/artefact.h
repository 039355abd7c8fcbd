// farthing.json: what an artefact was made from and how, beside config.json. It holds nothing that
// changes between two runs of the same recipe: no time, no host, no measurement of speed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/quant_scheme.h"
#include "io/json.h"

namespace farthing::io {

class Checkpoint;

struct ArtefactLayer {
  std::string name;              // the linear's base name
  std::string scheme;            // of its weights: "w4g64"
  ActivationScheme activations;  // fixed here: the same for one token and for many
  double error = 0;              // |W - W'|^2 / |W|^2
  std::string asked = {};        // the scheme asked for, when another was put in its place
};

struct Artefact {
  std::string source_sha256;  // hash_checkpoint() of the model that was compressed
  std::string recipe;         // the effective recipe's text
  std::uint64_t seed = 0;
  std::string calibration_sha256;       // "" without calibration
  std::int64_t calibration_tokens = 0;  // 0 without calibration
  std::string tool_version;
  std::string kv;  // "bf16", "fp16", "int8", "int4"
  std::vector<ArtefactLayer> layers;
  std::optional<Json> contract;  // the accuracy contract, once a floor was proven

  const ArtefactLayer* find(std::string_view name) const;  // null when not listed
};

inline constexpr std::string_view kArtefactFile = "farthing.json";
inline constexpr std::string_view kArtefactKey = "farthing.artefact";  // the same, in GGUF metadata

std::string write_artefact(const Artefact& artefact);
// Error: bad input naming `where`; unsupported, when a newer version wrote it.
Artefact parse_artefact(std::string_view text, std::string_view where);

// SHA-256 over configuration and tensors (names, types, shapes, bytes), in the order of names: the
// same for one file and for shards. Reads every byte.
std::string hash_checkpoint(const Checkpoint& checkpoint);

}  // namespace farthing::io
