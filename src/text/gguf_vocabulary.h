// The vocabulary in a GGUF file's metadata (tokenizer.ggml.*).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

// A null model when the file has no vocabulary. Error: bad input for tables that do not fit
// together, unsupported for an unknown tokenizer.ggml.model or tokenizer.ggml.pre.
PipelineParts read_gguf_vocabulary(const Json& metadata, std::string_view where);

// The tokenizer.ggml.pre that cuts sample texts as this pre-tokenizer of byte-level BPE does (null:
// none), one whose models take whole pieces as tokens first when `ignore_merges`.
std::optional<std::string> gguf_pre_name(const PreTokenizer* pre_tokenizer, bool ignore_merges);

}  // namespace farthing::text
