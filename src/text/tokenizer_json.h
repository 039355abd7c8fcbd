// Hugging Face's tokenizer.json.
#pragma once

#include <string_view>

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

// Error: bad input and unsupported; truncation and padding are ignored.
PipelineParts read_tokenizer_json(std::string_view json, std::string_view where);

// The "model" object, and the text of its two big tables, which it lacks ("" where absent).
struct ModelSource {
  Json options;
  std::string_view vocab, merges;
};
std::unique_ptr<Model> read_model(const ModelSource& model, std::string_view where);

}  // namespace farthing::text
