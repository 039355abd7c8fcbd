// Everything that a search works with, made from what the user asked for: the model, the text, the
// space, the table of sensitivities with its cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/data.h"
#include "compress/compress.h"
#include "compress/restructure.h"
#include "compress/step.h"
#include "evaluate/tasks/task.h"
#include "evaluate/text_windows.h"
#include "text/tokenizer.h"
#include "tune/probe.h"
#include "tune/sensitivity.h"

namespace farthing::tune {

// The text that a quality is measured on. The same options give the same windows anywhere.
struct TextOptions {
  std::vector<std::string> paths;  // none: the texts inside of this program
  std::int64_t context = 0;        // tokens a window; 0: 512, or what the model has if that is less
  std::int64_t windows = 16;       // at most
};
evaluate::EvalText read_text(const TextOptions& options, const text::Tokenizer& tokenizer,
                             const model::ModelConfig& config);

// Error: as read_task(); usage for two of one name.
std::vector<evaluate::Task> read_tasks(const std::vector<std::string>& arguments,
                                       std::int64_t limit);

struct StudyOptions {
  std::string schemes = "w8g64,w8g64:int8,w6g64,w5g64,w4g32,w4g64,w3g32";
  std::string caches = "fp16,int8,int4";  // "": the cache is no unit of the search
  TextOptions text;
  std::vector<std::string> tasks;    // files, or NAME=FILE, of the floor on tasks
  std::int64_t task_limit = 0;       // documents of each; 0: all
  std::int64_t probe_tokens = 1024;  // that a sensitivity is measured on, of the text's windows
  compress::Recipe recipe;           // steps, calibration and seed; its layers are found here
  compress::PlanOptions plan;
  std::string cache_directory;  // of what was measured; "": nothing is kept
};

class Study {
 public:
  // Runs the model over the probe's windows and restores what is known already. Error: bad input,
  // unsupported, usage; out of resources, before anything is computed, when it cannot fit.
  Study(Runtime& runtime, const io::Checkpoint& original, StudyOptions options,
        Progress& progress);
  Study(const Study&) = delete;
  Study& operator=(const Study&) = delete;

  // What the units are matrices of: the original, as steps that keep its function have stored it.
  const io::Checkpoint& checkpoint() const { return restructured.last(original); }
  // measure_sensitivity() of everything.
  void measure(Effort effort);

  Runtime& runtime;
  const io::Checkpoint& original;
  StudyOptions options;
  Progress& progress;
  std::vector<std::unique_ptr<compress::Step>> steps;
  compress::Restructured restructured;
  model::ModelConfig config;
  std::unique_ptr<model::TensorMap> map;
  std::unique_ptr<model::Model> model;  // uncompressed
  kernels::KvType kv;                   // of the reference
  std::unique_ptr<text::Tokenizer> tokenizer;
  evaluate::EvalText text;  // that the floor is held on
  std::vector<evaluate::Task> tasks;
  evaluate::EvalText probe_text;  // some of its windows, spread over it
  calibrate::CalibrationData data;
  std::unique_ptr<Space> space;
  std::unique_ptr<RoundedWeights> weights;
  std::unique_ptr<Probe> probe;
  std::unique_ptr<Sensitivity> table;
  std::unique_ptr<SensitivityCache> cache;
  std::string source_sha256;

 private:
  void check_memory() const;
};

// $XDG_CACHE_HOME/farthing/tune, else ~/.cache/...; "" when neither is set.
std::string default_cache_directory();

}  // namespace farthing::tune
