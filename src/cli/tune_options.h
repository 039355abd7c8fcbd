// Options that sensitivity and tune share.
#pragma once

#include "cli/common.h"
#include "tune/study.h"

namespace farthing::cli {

struct StudyArguments {
  std::string model, method, preset;
  std::vector<std::string> texts, calibration, tasks;
  std::int64_t context = 0, windows = 16, probe_tokens = 1024, samples = 0, seed = -1,
               task_limit = 0;
  std::string schemes, caches, cache_directory;
  bool no_cache = false, portable = false;
};
void add_study_options(VerbOptions& verb, StudyArguments& arguments);
tune::StudyOptions study_options(const StudyArguments& arguments);  // Error: usage

}  // namespace farthing::cli
