// How close one model comes to another on texts, for verbs that make a model and say what it is
// worth.
#pragma once

#include <string>
#include <vector>

#include "cli/common.h"

namespace farthing::cli {

// The activation modes that the model's linears run in, "int8" or "bf16+int8".
std::string modes_of(model::Model& model);

struct QualityRequest {
  std::vector<std::string> texts;  // FILE or NAME=FILE, as `farthing eval --text` takes them
  std::int64_t context = 512, windows = 0;  // tokens a window; at most so many, 0: all
};

// The map "texts" of `farthing eval MODEL --reference REFERENCE`, run with the kernels that serve.
// Error: as load_model and evaluate_text; bad input for a model without a tokenizer.
Json quality_against(Runtime& runtime, const std::string& model, const std::string& reference,
                     const QualityRequest& request, Progress& progress);

}  // namespace farthing::cli
