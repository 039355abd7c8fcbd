// farthing sensitivity MODEL: what each layer costs at each precision.
#include <fmt/core.h>

#include "bench/measure.h"
#include "cli/common.h"
#include "cli/tune_options.h"
#include "cli/verbs.h"
#include "core/text.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  StudyArguments study;
  bool all = false;
};

void run(const Options& o) {
  const tune::StudyOptions options = study_options(o.study);
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto checkpoint = io::Checkpoint::open(o.study.model);
  const auto start = bench::Clock::now();
  tune::Study study(*runtime, *checkpoint, options, *progress);
  study.measure(o.all ? tune::Effort::kAll : tune::Effort::kScreen);
  print(o.common, tune::sensitivity_text(*study.table));
  const double seconds = bench::seconds_since(start);
  print(o.common, fmt::format("{} of {} entries measured at {} positions of {}, {:.1f} s\n",
                              study.table->measured(), study.table->offered(),
                              study.probe->positions(), printable(study.text.name), seconds));
  write_json(o.common, {{"schema", 1},
                        {"model", o.study.model},
                        {"source_sha256", study.source_sha256},
                        {"text",
                         {{"name", study.text.name},
                          {"sha256", study.text.sha256},
                          {"context", study.text.options.context},
                          {"windows", study.probe_text.windows.size()},
                          {"positions", study.probe->positions()}}},
                        {"method", compress::recipe_text(study.options.recipe)},
                        {"isa", isa_name(runtime->isas.best())},
                        {"units", tune::sensitivity_json(*study.table)},
                        {"seconds", seconds}});
}

}  // namespace

void add_sensitivity(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("MODEL", o->study.model,
                  "Hugging Face directory, or org/name in the local cache, not compressed")
      ->required();
  add_study_options(verb, o->study);
  verb.add_flag("--all", o->all,
                "Measure every alternative; else one a unit, and the others from output errors");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
