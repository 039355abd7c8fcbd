// The vocabulary in a GGUF file's metadata (tokenizer.ggml.*).
#pragma once

#include <string_view>

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

// A null model when the file has no vocabulary. Error: bad input for tables that do not fit
// together, unsupported for an unknown tokenizer.ggml.model or tokenizer.ggml.pre.
PipelineParts read_gguf_vocabulary(const Json& metadata, std::string_view where);

}  // namespace farthing::text
