#include "tune/study.h"

#include <algorithm>
#include <filesystem>

#include "bench/advice.h"
#include "calibrate/builtin_texts.h"
#include "calibrate/doctor.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/artefact.h"

namespace farthing::tune {
namespace {

constexpr std::int64_t kDefaultContext = 512;
// Of how compress rounds: what was measured with an older one is measured again.
constexpr int kRevision = 3;

std::string builtin_text() {
  std::string joined;
  for (const calibrate::BuiltinText& text : calibrate::builtin_texts())
    if (text.file.ends_with(".txt"))
      joined += (joined.empty() ? "" : "\n\n") + std::string(text.text);
  return joined;
}

// Every so many windows, so that few of them still show all of a text.
evaluate::EvalText spread(const evaluate::EvalText& text, std::int64_t tokens) {
  evaluate::EvalText some = text;
  const std::int64_t all = std::ssize(text.windows);
  const std::int64_t count =
      std::clamp<std::int64_t>((tokens + text.options.context - 1) / text.options.context, 1, all);
  some.windows.clear();
  for (std::int64_t i = 0; i < count; ++i)
    some.windows.push_back(text.windows[static_cast<std::size_t>(i * all / count)]);
  return some;
}

std::string hash_windows(const evaluate::EvalText& text) {
  Sha256 hash;
  hash.update(fmt::format("{} {}\n", text.options.context, text.first_scored));
  for (const auto& window : text.windows) hash.update(std::as_bytes(std::span(window)));
  return hash.hex();
}

bool wants_data(const Space& space, std::span<const std::unique_ptr<compress::Step>> steps) {
  const auto wants = [&](const compress::Step& step, std::size_t alternative) {
    if (step.transform_statistics() != calibrate::kNoStatistics) return true;
    for (std::size_t member = 0; member < space.matrices(); ++member)
      if (step.statistics(space.planned(member, alternative)) != calibrate::kNoStatistics)
        return true;
    return false;
  };
  for (std::size_t a = 1; a < space.alternatives(space.units().front()).size(); ++a)
    for (const auto all : {steps, space.steps(a)})
      for (const auto& step : all)
        if (wants(*step, a)) return true;
  return false;
}

calibrate::CalibrationData draw(const io::Checkpoint& checkpoint, const text::Tokenizer& tokenizer,
                                const model::ModelConfig& config, compress::Recipe& recipe,
                                Progress& progress) {
  if (!recipe.calibration) recipe.calibration.emplace();
  compress::CalibrationSetting& setting = *recipe.calibration;
  if (config.max_positions > 0) setting.length = std::min(setting.length, config.max_positions);
  if (setting.texts.empty()) setting.texts.emplace_back(calibrate::kBuiltin);
  calibrate::DataRequest request{
      .sources = {}, .samples = setting.samples, .length = setting.length, .seed = setting.seed};
  for (const std::string& path : setting.texts)
    request.sources.push_back(calibrate::parse_source(path));
  calibrate::CalibrationData data = calibrate::load_data(tokenizer, checkpoint, request);
  for (const std::string& note : data.notes) progress.note(note);
  calibrate::refuse_unfit(calibrate::examine(tokenizer, data, config));
  return data;
}

void check_restructuring(std::span<const std::unique_ptr<compress::Step>> steps,
                         const io::Checkpoint& checkpoint) {
  for (const auto& step : steps) {
    if (!step->restructures()) continue;
    compress::refuse_source(checkpoint);
    if (!step->keeps_function())
      unsupported(
          "{}: a step of the method makes a smaller model, and mixes are compared with the model "
          "as it is; let compress make the smaller model first, and tune that",
          printable(checkpoint.path(), 400));
  }
}

}  // namespace

evaluate::EvalText read_text(const TextOptions& options, const text::Tokenizer& tokenizer,
                             const model::ModelConfig& config) {
  std::string joined, name;
  for (const std::string& path : options.paths) {
    joined += (joined.empty() ? "" : "\n\n") + evaluate::read_eval_text(path);
    name += (name.empty() ? "" : "+") + std::filesystem::path(path).filename().string();
  }
  if (options.paths.empty()) joined = builtin_text(), name = calibrate::kBuiltin;
  evaluate::WindowOptions windows{.convention = evaluate::Convention::kAll,
                                  .context = options.context,
                                  .windows = options.windows,
                                  .bos = evaluate::Bos::kAuto};
  const std::int64_t most = config.max_positions > 0 ? config.max_positions : kDefaultContext;
  if (windows.context == 0) windows.context = std::min(kDefaultContext, most);
  if (windows.context > most)
    usage_error("--context {} is longer than the {} positions of this model", windows.context,
                most);
  return evaluate::cut_windows(std::move(name), joined, tokenizer, windows);
}

std::vector<evaluate::Task> read_tasks(const std::vector<std::string>& arguments,
                                       std::int64_t limit) {
  std::vector<evaluate::NamedFile> files;
  for (const std::string& argument : arguments) files.push_back(evaluate::named_file(argument));
  evaluate::check_names_differ(files, "tasks");
  std::vector<evaluate::Task> tasks;
  for (const evaluate::NamedFile& file : files)
    tasks.push_back(evaluate::read_task(file, {.limit = limit, .shots = 0, .examples = ""}));
  return tasks;
}

Study::Study(Runtime& runtime_, const io::Checkpoint& original_, StudyOptions options_,
             Progress& progress_)
    : runtime(runtime_),
      original(original_),
      options(std::move(options_)),
      progress(progress_) {
  steps = compress::make_steps(options.recipe);
  check_restructuring(steps, original);
  restructured = compress::restructure(
      runtime, original, steps,
      [&](const io::Checkpoint&, const model::ModelConfig&) -> const auto& { return data; }, "", 0,
      progress);
  const model::Architecture& architecture = model::architecture_of(checkpoint());
  config = model::config_of(architecture, checkpoint());
  map = std::make_unique<model::TensorMap>(architecture, config, checkpoint());
  space = std::make_unique<Space>(
      *map, parse_alternatives(options.schemes),
      options.caches.empty() ? std::vector<Alternative>{} : parse_caches(options.caches),
      options.plan);
  tokenizer = text::Tokenizer::load(original);
  if (!tokenizer)
    bad_input("{}: has no tokenizer, so no text can show what a layer costs",
              printable(original.path(), 400));
  text = read_text(options.text, *tokenizer, config);
  tasks = read_tasks(options.tasks, options.task_limit);
  probe_text = spread(text, options.probe_tokens);
  check_memory();
  if (wants_data(*space, steps))
    data = draw(original, *tokenizer, config, options.recipe, progress);
  source_sha256 = io::hash_checkpoint(original);
  const std::string key = sha256_hex(fmt::format(
      "{} {}\n{}\n{}\n{}\n{}\n{}", FARTHING_VERSION, kRevision, source_sha256,
      hash_windows(probe_text), compress::recipe_text(options.recipe), data.sha256,
      isa_name(runtime.isas.best())));
  model = model::Model::load(runtime, checkpoint());
  kv = kernels::KvType::kF32;
  weights = std::make_unique<RoundedWeights>(runtime, *space, *model, steps, data, progress);
  probe = std::make_unique<Probe>(runtime, *space, *model, *weights, probe_text, kv);
  table = std::make_unique<Sensitivity>(*space);
  const std::string path =
      options.cache_directory.empty()
          ? std::string()
          : fmt::format("{}/{}.json", options.cache_directory, key.substr(0, 24));
  cache = std::make_unique<SensitivityCache>(path, key);
  cache->restore(*table);
  const auto known = table->measured();
  if (known > space->units().size())
    progress.note(fmt::format("goes on: {} of {} entries are known", known, table->offered()));
}

void Study::measure(Effort effort) {
  measure_sensitivity(runtime, *probe, *weights, effort, *table, *cache, progress);
}

// The model, all alternatives, hidden states between all blocks, and two sets of logits or so.
void Study::check_memory() const {
  std::uint64_t need = 256u << 20;
  for (const io::TensorInfo& tensor : original.tensors()) need += 2 * tensor.bytes.size();
  for (std::size_t u = 0; u < space->units().size(); ++u)
    for (std::size_t a = 1; a < space->alternatives(space->units()[u]).size(); ++a)
      need += space->bytes({u, a});
  const auto tokens =
      static_cast<std::uint64_t>(std::ssize(probe_text.windows) * probe_text.options.context);
  need += tokens * static_cast<std::uint64_t>(config.hidden * (config.layers + 2)) * sizeof(float);
  const std::uint64_t limit = machine_limits().memory_bytes;
  if (need > limit)
    out_of_resources(
        "measuring this model in {} alternatives needs about {} of memory, and this process may "
        "use {}; name fewer --schemes",
        space->alternatives(space->units()[0]).size() - 1, human_bytes(need), human_bytes(limit));
}

std::string default_cache_directory() {
  const std::string machine = bench::advice_path();
  if (machine.empty()) return "";
  return (std::filesystem::path(machine).parent_path() / "tune").string();
}

}  // namespace farthing::tune
