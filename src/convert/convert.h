// A checkpoint in, the same model as files of another kind out: the same numbers wherever the
// target can hold them, and for each matrix a word whether it could.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/progress.h"
#include "core/runtime.h"
#include "formats/format.h"
#include "io/checkpoint.h"

namespace farthing::convert {

struct ConvertOptions {
  // The scheme of all matrices; "": each keeps its numbers in the smallest type that holds them.
  std::string type = {};
  RoundMethod method = RoundMethod::kScaleSearch;  // where `type` rounds
  std::string importance = {};  // an imatrix file of llama.cpp that says how, or ""
  std::string name = {};        // general.name; "": the model's own
  bool replace = false;         // a file of the same kind that lies at OUT
};

struct TensorReport {
  std::string base, name;  // in the source, in the target
  std::string from, to;    // schemes
  bool exact = true;       // every weight is the same number
  double error = 0;        // |W - W'|^2 / |W|^2
};

struct ConvertReport {
  std::vector<TensorReport> tensors;  // matrices, in the order of the model
  std::vector<std::string> notes;     // what else is worth knowing, a sentence each
  std::uint64_t bytes_before = 0, bytes_after = 0;
  std::string target;  // "gguf", "gptq", ...
  double seconds = 0;
  bool exact() const;
};

// Writes a GGUF file for llama.cpp and for Farthing. Error: usage, when OUT is there; unsupported,
// for an architecture or a setting that GGUF cannot say; bad input; out of resources.
ConvertReport to_gguf(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                      const ConvertOptions& options, Progress& progress);

// Writes a Hugging Face directory as other tools keep it: `to` is gptq (version 2), awq (gemm) or
// compressed-tensors. Linears of blocks keep their grid where the target has it; those of another
// kind are rounded to `type` when it is given, else they become floats. Error: as to_gguf().
ConvertReport to_foreign(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                         std::string_view to, const ConvertOptions& options, Progress& progress);

// Error: unsupported, for an artefact whose linears multiply their inputs: only Farthing does.
void refuse_multipliers(const io::Checkpoint& checkpoint);

// Error: usage, unless `out` is free or a file that may be replaced.
void check_output(const std::string& out, bool replace);

}  // namespace farthing::convert
