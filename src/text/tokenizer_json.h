// Hugging Face's tokenizer.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// What other files keep of a BPE model besides its vocabulary.
struct BpeSource {
  std::vector<std::string> merges;  // "left right", in order of rank
  bool byte_fallback = false, ignore_merges = false;
};
// nullopt for models of other types. Error: bad input.
std::optional<BpeSource> read_bpe_source(std::string_view json, std::string_view where);

}  // namespace farthing::text
