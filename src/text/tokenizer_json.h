// Hugging Face's tokenizer.json.
#pragma once

#include <string_view>

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

// Error: bad input and unsupported, as in the catalogue of docs; truncation and padding are
// ignored.
PipelineParts read_tokenizer_json(std::string_view json, std::string_view where);
// The "model" object; `where` names the file.
std::unique_ptr<Model> read_model(const Json& model, std::string_view where);

}  // namespace farthing::text
