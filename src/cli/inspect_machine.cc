#include "cli/inspect_machine.h"

#include "bench/advice.h"

namespace farthing::cli {

void inspect_machine(const Common& common, bool refresh) {
  const auto runtime = make_runtime(common);
  const auto progress = make_progress(common);
  const std::string path = bench::advice_path();
  std::optional<bench::Advice> advice;
  if (!refresh) advice = bench::remembered_advice(path, *runtime);
  if (!advice) {
    progress->note("measuring what this processor is good at");
    advice = bench::measure_advice(*runtime, *progress);
    bench::remember_advice(path, *advice);
  }
  print(common, bench::advice_text(*advice));
  write_json(common, bench::advice_json(*advice));
}

}  // namespace farthing::cli
