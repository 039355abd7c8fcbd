#include "cli/tune_options.h"

#include "compress/presets.h"
#include "compress/step.h"
#include "core/error.h"

namespace farthing::cli {

void add_study_options(VerbOptions& verb, StudyArguments& a) {
  const tune::StudyOptions defaults;
  a.schemes = defaults.schemes;
  a.caches = defaults.caches;
  verb.add_option("--schemes", a.schemes,
                  "Schemes to choose from, each as it is or with an activation mode, as in "
                  "w4g64:int16, and a method of its own, as in w4g64@rtn, w8a8@smooth=0.5 or "
                  "w8g64@wanda=2:4 (docs/tune.md); \"keep\" is always one")
      ->show_default();
  verb.add_option("--caches", a.caches,
                  "Types of the key-value cache to choose from; \"\": the cache is left out")
      ->show_default();
  verb.add_option("--method", a.method,
                  "How to round: rtn, hqq, gptq, ... as compress has it (default: gptq); "
                  "split-vocabulary+gptq lets rows of embedding and head differ");
  verb.add_option("--preset", a.preset, "Method and calibration of a preset: fast, balanced, best");
  verb.add_option("--text", a.texts,
                  "Text that the quality is measured on (default: the built-in texts)")
      ->expected(1)
      ->take_all();
  verb.add_option("--context", a.context, "Tokens a window (default: 512, or the model's most)")
      ->positive();
  verb.add_option("--windows", a.windows, "At most so many windows of the text")
      ->positive()
      ->show_default();
  verb.add_option("--probe-tokens", a.probe_tokens,
                  "Tokens that each sensitivity is measured on, of these windows")
      ->positive()
      ->show_default();
  verb.add_option("--calibration", a.calibration,
                  "Calibration data, as compress --text (default: the built-in texts)")
      ->expected(1)
      ->take_all();
  verb.add_option("--samples", a.samples, "Calibration samples (default: of the preset, else 32)")
      ->positive();
  verb.add_option("--seed", a.seed, "Seed of the calibration samples");
  verb.add_flag("--portable", a.portable, "Only what compressed-tensors reads");
  verb.add_option("--cache", a.cache_directory,
                  "Folder that keeps what was measured, so that a search goes on where it was "
                  "stopped (default: ~/.cache/farthing/tune)");
  verb.add_flag("--no-cache", a.no_cache, "Keep nothing");
}

tune::StudyOptions study_options(const StudyArguments& a) {
  if (!a.method.empty() && !a.preset.empty())
    usage_error("--preset and --method both say how to compress; keep one of them");
  tune::StudyOptions o;
  o.schemes = a.schemes;
  o.caches = a.caches;
  o.text = {.paths = a.texts, .context = a.context, .windows = a.windows};
  o.tasks = a.tasks;
  o.task_limit = a.task_limit;
  o.probe_tokens = a.probe_tokens;
  o.plan.portable = a.portable;
  if (!a.preset.empty()) {
    o.recipe = compress::preset_recipe(a.preset, 4);
    o.recipe.layers.clear();
  } else {
    o.recipe.steps = compress::steps_of_method(a.method.empty() ? "gptq" : a.method);
    o.recipe.calibration.emplace();
    o.recipe.calibration->samples = 32;
  }
  if (!o.recipe.calibration && !a.calibration.empty()) o.recipe.calibration.emplace();
  if (o.recipe.calibration) {
    if (!a.calibration.empty()) o.recipe.calibration->texts = a.calibration;
    if (a.samples > 0) o.recipe.calibration->samples = a.samples;
    if (a.seed >= 0) o.recipe.calibration->seed = a.seed;
  }
  if (a.seed >= 0) o.recipe.seed = a.seed;
  if (!a.no_cache)
    o.cache_directory =
        a.cache_directory.empty() ? tune::default_cache_directory() : a.cache_directory;
  return o;
}

}  // namespace farthing::cli
