// What a bench found, as JSON (docs/benchmarking.md) and as text.
#pragma once

#include <string>

#include "bench/machine.h"
#include "bench/row.h"
#include "core/runtime.h"
#include "io/json.h"

namespace farthing::bench {

// {"cpu", "isa", "threads", "read_gb_s", "peaks": {...}}
Json machine_json(const Runtime& runtime, const Roofs& roofs);
std::string machine_line(const Runtime& runtime, const Roofs& roofs);

// machine_json with "reads" and "peaks_by_isa" beside it.
Json survey_json(const Runtime& runtime, const Survey& survey);
std::string survey_text(const Survey& survey);

// "tokens_per_s", "gb_s", "gop_s", "bound", "share_of_roof" and the names; "samples"
// for comparing two files, and of scenarios "first_token_ms" and "next_token_ms".
Json row_json(const Row& row);
std::string rows_text(std::span<const Row> rows);

}  // namespace farthing::bench
