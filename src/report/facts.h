// What the files of a model say by themselves.
#pragma once

#include <string>

#include "report/report.h"

namespace farthing::report {

// Error: as Checkpoint::open.
ModelFacts read_facts(const std::string& directory, const Json& artefact);

// Puts the KL of each unit alone, as `farthing tune` or `farthing sensitivity` wrote it, to the
// matrices of the same name and scheme.
void add_sensitivities(ModelFacts& facts, const Json& tune, const Json& sensitivity);

// "model.layers.3.self_attn.q_proj" -> "q"; "model.layers.3.mlp.experts.5.up_proj" ->
// "experts.up"; "model.layers.3.mlp.gate_proj.rows.1" -> "gate.rows.1"
std::string kind_of(std::string_view name);

}  // namespace farthing::report
