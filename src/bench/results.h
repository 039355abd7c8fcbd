// What a bench found, as JSON (docs/benchmarking.md) and as text.
#pragma once

#include <string>

#include "bench/machine.h"
#include "core/runtime.h"
#include "io/json.h"

namespace farthing::bench {

// {"cpu", "isa", "threads", "read_gb_s", "peaks": {...}}
Json machine_json(const Runtime& runtime, const Roofs& roofs);
std::string machine_line(const Runtime& runtime, const Roofs& roofs);

// machine_json with "reads" and "peaks_by_isa" beside it.
Json survey_json(const Runtime& runtime, const Survey& survey);
std::string survey_text(const Survey& survey);

}  // namespace farthing::bench
