// What every verb shares: options, the runtime, output and progress.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/options.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/checkpoint.h"
#include "io/json.h"
#include "kernels/attention/attention.h"
#include "model/model.h"

namespace farthing::cli {

struct Common {
  int threads = 0;  // 0: all that this process may use
  std::string isa;  // "" : FARTHING_ISA, else the best
  std::string json;
  bool quiet = false;
};

// A verb is a file in verbs/ and a row in main.cc. It adds its options to its subcommand and sets
// the callback, which parses nothing more: it calls the library and prints.
void add_common(VerbOptions& verb, Common& common);
std::unique_ptr<Runtime> make_runtime(const Common& common);  // Error: usage

// Progress on a terminal's standard error; notes also in a pipe unless --quiet.
std::unique_ptr<Progress> make_progress(const Common& common);
bool interrupted();  // Ctrl-C was pressed
void clear_interrupt();
void check_interrupt();  // throws Fault::kInterrupted

// Writes the machine-readable twin to the file of --json, or to standard output for "-".
void write_json(const Common& common, const Json& result);
// Human-readable output, unless --json - took standard output.
void print(const Common& common, const std::string& text);

// "1,5,9". Error: usage.
std::vector<cache::Token> parse_tokens(const std::string& text);

// Options that several verbs have to choose how a model runs.
struct ModelOptions {
  std::string model, activations, kv, dtype;
  bool streamed = false;
};
void add_model_options(VerbOptions& verb, ModelOptions& options);
model::LoadOptions load_options(const ModelOptions& options);  // Error: usage
// --kv, else what the artefact fixed, else fp32 for float checkpoints run in fp32 and fp16 for
// others.
kernels::KvType kv_type(const ModelOptions& options, const io::Checkpoint& checkpoint);

struct LoadedModel {
  std::unique_ptr<io::Checkpoint> checkpoint;
  std::unique_ptr<model::Model> model;
  kernels::KvType kv;
};
LoadedModel load_model(Runtime& runtime, const ModelOptions& options);

}  // namespace farthing::cli
