#include "compress/compress.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "calibrate/data.h"
#include "calibrate/doctor.h"
#include "compress/calibrated_blocks.h"
#include "compress/fallback.h"
#include "compress/layout.h"
#include "compress/pruning_notes.h"
#include "compress/restructure.h"
#include "compress/step.h"
#include "compress/stream_blocks.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/artefact.h"
#include "io/artefact_writer.h"
#include "io/quantization_config.h"
#include "model/architecture.h"
#include "text/tokenizer.h"

namespace farthing::compress {
namespace {

namespace fs = std::filesystem;
using model::Slot;

constexpr std::string_view kDefaultKv = "fp16";

// A tied model's second copy of the matrix, which nobody reads.
std::vector<std::string> dropped_tensors(const model::TensorMap& map, Plan& plan) {
  std::vector<std::string> dropped;
  if (!plan.tied) return dropped;
  const std::string head = map.expected_name(Slot::kHead) + ".weight";
  const auto embedding = map.find(Slot::kEmbedding);
  if (map.checkpoint().find(head) == nullptr || (embedding && embedding->base + ".weight" == head))
    return dropped;
  plan.notes.push_back(fmt::format(
      "{} is left out: config.json ties the head to the embedding, which is stored once", head));
  dropped.push_back(head);
  return dropped;
}

std::uint64_t memory_limit(const CompressOptions& options) {
  return options.memory_limit != 0 ? options.memory_limit : machine_limits().memory_bytes;
}

// The program, its libraries and what small things take, and the tokenizer's file: copied to the
// artefact by way of memory, or, for calibration data, read into its tables. Fitted to peaks: with
// 0.27 MB of tokenizer.json `tokenize` takes 10.1 MB and `calibrate` 16.3, with 3.5 MB 21.3
// and 25.5.
std::uint64_t program_bytes(const io::Checkpoint& checkpoint, bool reads_tokenizer) {
  std::error_code missing;
  const auto tokenizer = fs::file_size(fs::path(checkpoint.path()) / "tokenizer.json", missing);
  const double file = missing ? 0.0 : static_cast<double>(tokenizer);
  return static_cast<std::uint64_t>(reads_tokenizer ? 15.5e6 + 2.85 * file : 8.5e6 + 1.5 * file);
}

// Whether the hidden states must go to disk to stay within the limit.
bool add_calibration_need(const model::TensorMap& map, const Plan& plan,
                          std::span<const std::unique_ptr<Step>> steps,
                          const calibrate::CalibrationData& data, const CompressOptions& options,
                          StreamNeed& need) {
  const auto with = [&](bool spill) {
    // Blocks and what lies outside of them are done one after the other.
    return std::max(need.memory_bytes + CalibratedBlocks::head_need(plan, steps),
                    program_bytes(map.checkpoint(), !data.samples.empty()) +
                        CalibratedBlocks::memory_need(map, plan, steps, data.tokens(), spill));
  };
  const bool spill = with(false) > memory_limit(options);
  if (spill)
    need.disk_bytes +=
        2 * static_cast<std::uint64_t>(data.tokens() * map.config().hidden) * sizeof(float);
  need.memory_bytes = with(spill);
  return spill;
}

void check_memory(std::uint64_t need, std::uint64_t limit) {
  if (need > limit)
    out_of_resources(
        "compressing this model needs {} of memory, the limit is {}; raise --memory-limit or use "
        "fewer --threads",
        human_bytes(need), human_bytes(limit));
}

void check_resources(const StreamNeed& need, const CompressOptions& options, const std::string& out,
                     Progress& progress) {
  const std::uint64_t limit = memory_limit(options);
  const std::uint64_t room = io::free_bytes(out);
  progress.note(fmt::format("needs {} of memory (limit {}) and {} of disk ({} free)",
                            human_bytes(need.memory_bytes), human_bytes(limit),
                            human_bytes(need.disk_bytes), human_bytes(room)));
  check_memory(need.memory_bytes, limit);
  // What an unfinished run has written already is not needed once more.
  std::uint64_t written = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(out + ".partial", ignored), end; entry != end;
       entry.increment(ignored))
    if (entry->is_regular_file(ignored)) written += entry->file_size(ignored);
  if (need.disk_bytes > room + written)
    out_of_resources("{}: the artefact needs {} of disk, {} are free; make room or write elsewhere",
                     printable(out, 400), human_bytes(need.disk_bytes), human_bytes(room));
}

io::LinearScheme linear_scheme(const PlannedUnit& unit) {
  io::LinearScheme scheme{unit.scheme, std::nullopt};
  if (unit.activations_are_named) scheme.activations = unit.activations;
  return scheme;
}

// What torch calls the module: the checkpoint's own name, and where transformers calls it
// otherwise, that too.
std::vector<std::string> module_names(const PlannedUnit& unit, const model::TensorMap& map) {
  std::vector<std::string> names = {unit.base};
  if (map.module_name(unit.unit) != unit.base) names.push_back(map.module_name(unit.unit));
  if (unit.unit.slot == Slot::kHead && unit.base != "lm_head") names.emplace_back("lm_head");
  return names;
}

// Matrices that no slot of the architecture has: a class as target would reach them too.
bool has_unknown_matrices(const Plan& plan, const model::TensorMap& map) {
  std::unordered_set<std::string_view> known;
  for (const PlannedUnit& unit : plan.units) known.insert(unit.base);
  const auto positions = map.find(Slot::kPositionEmbedding);
  if (positions) known.insert(positions->base);
  const io::Checkpoint& checkpoint = map.checkpoint();
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    std::string_view base = tensor.name;
    if (!base.ends_with(".weight") || tensor.shape.size() != 2) continue;
    base.remove_suffix(7);
    if (!known.contains(base)) return true;
  }
  return false;
}

Json artefact_config(const Plan& plan, const model::TensorMap& map, bool& portable) {
  std::vector<io::NamedScheme> modules;
  bool compressed = false;
  portable = true;
  for (const PlannedUnit& unit : plan.units) {
    compressed |= unit.is_compressed();
    portable &= !why_not_portable(unit, plan.tied);
    if (!unit.is_compressed() && !model::is_linear(unit.unit.slot)) continue;
    std::optional<io::LinearScheme> scheme;
    if (unit.is_compressed()) scheme = linear_scheme(unit);
    for (std::string& name : module_names(unit, map)) modules.push_back({std::move(name), scheme});
  }
  if (plan.tied) modules.push_back({map.expected_name(Slot::kHead), std::nullopt});
  Json config = map.checkpoint().config();
  if (map.config().tied && !plan.tied) config["tie_word_embeddings"] = false;
  if (!compressed) return config;
  const std::string kv = plan.kv == "int8" || plan.kv == "int4" ? plan.kv : "";
  config["quantization_config"] = io::write_quantization_config(
      modules, portable ? io::QuantMethod::kCompressedTensors : io::QuantMethod::kFarthing,
      !has_unknown_matrices(plan, map), kv);
  return config;
}

CompressReport make_report(const Plan& plan, std::span<const UnitResult> results,
                           const io::Checkpoint& checkpoint) {
  std::unordered_map<std::string_view, const UnitResult*> by_base;
  for (const UnitResult& result : results) by_base[result.base] = &result;
  CompressReport report;
  std::uint64_t compressed_bytes = 0;
  for (const PlannedUnit& unit : plan.units) {
    UnitReport row;
    row.base = unit.base;
    row.scheme = scheme_name(unit.scheme);
    row.asked = unit.asked;
    if (unit.activations) row.activations = activation_name(unit.activations->mode);
    row.weights = static_cast<std::uint64_t>(unit.weights());
    const auto source = checkpoint.matrix(unit.unit.base, 0, unit.slices);
    if (!unit.untied) row.bytes_before = source->bytes() * static_cast<std::uint64_t>(unit.slices);
    row.bytes_after = row.bytes_before;
    row.compressed = unit.is_compressed();
    if (!unit.keep) {
      row.bytes_after = 0;
      for (const io::PlannedTensor& tensor : planned_tensors(unit, checkpoint))
        row.bytes_after += tensor.bytes();
      const UnitResult& result = *by_base.at(unit.base);
      row.error = result.magnitude > 0 ? result.error / result.magnitude : 0;
      row.zeros = result.zeros / static_cast<double>(row.weights);
    }
    if (row.compressed) {
      report.compressed_weights += row.weights;
      compressed_bytes += row.bytes_after;
      report.mean_error += row.error * static_cast<double>(row.weights);
    }
    report.bytes_after += row.bytes_after;
    report.bytes_after -= row.bytes_before;
    report.units.push_back(std::move(row));
  }
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    report.bytes_before += tensor.bytes.size();
  report.bytes_after += report.bytes_before;
  if (report.compressed_weights > 0) {
    const auto count = static_cast<double>(report.compressed_weights);
    report.mean_error /= count;
    report.bits_per_weight = static_cast<double>(compressed_bytes) * 8 / count;
  }
  return report;
}

std::string artefact_text(const Plan& plan, const CompressReport& report, const Recipe& recipe,
                          const std::string& tool_version) {
  io::Artefact artefact;
  artefact.source_sha256 = report.source_sha256;
  artefact.recipe = report.recipe;
  artefact.seed = static_cast<std::uint64_t>(recipe.seed);
  artefact.tool_version = tool_version;
  artefact.kv = report.kv;
  artefact.calibration_sha256 = report.calibration_sha256;
  artefact.calibration_tokens = report.calibration_tokens;
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    const PlannedUnit& unit = plan.units[i];
    artefact.layers.push_back({.name = unit.base,
                               .scheme = report.units[i].scheme,
                               .activations = unit.activations.value_or(ActivationScheme{}),
                               .error = report.units[i].error,
                               .asked = unit.asked});
  }
  return io::write_artefact(artefact);
}

// The measured scales of static activations, for farthing.json.
void fix_scales(Plan& plan, std::span<const UnitResult> results) {
  std::unordered_map<std::string_view, PlannedUnit*> units;
  for (PlannedUnit& unit : plan.units) units[unit.base] = &unit;
  for (const UnitResult& result : results)
    if (PlannedUnit& unit = *units.at(result.base); unit.has_static_inputs())
      unit.activations->scale = result.input_scale;
}

// Experts that too few tokens reached, a sentence for all; "" when there are none.
std::string starved_note(std::span<const UnitResult> results) {
  int matrices = 0;
  std::string_view first;
  for (const UnitResult& result : results) {
    if (result.starved > 0 && matrices == 0) first = result.base;
    matrices += result.starved;
  }
  if (matrices == 0) return "";
  return fmt::format(
      "{} matrices of experts saw fewer than 0.5 % of the calibration tokens and were rounded to "
      "nearest, the first {}; more or other data would reach them",
      matrices, first);
}

bool needs_data(const Plan& plan, std::span<const std::unique_ptr<Step>> steps) {
  if (std::ranges::any_of(plan.units, &PlannedUnit::has_static_inputs)) return true;
  for (const auto& step : steps) {
    if (step->surveys() || step->learns() ||
        step->transform_statistics() != calibrate::kNoStatistics)
      return true;
    for (const PlannedUnit& unit : plan.units)
      if (!unit.keep && step->statistics(unit) != calibrate::kNoStatistics) return true;
  }
  return false;
}

// "time: forward passes 40 %, ..."
std::string times_note(const CompressReport& report) {
  const calibrate::WorkTimes& t = report.times;
  const auto share = [&](double seconds) { return 100 * seconds / report.seconds; };
  const double known = t.forward + t.statistics + t.edits + t.factors + t.rounding;
  return fmt::format(
      "time: forward passes {:.0f} %, Hessians and moments (SYRK) {:.0f} %, factors (Cholesky) "
      "{:.0f} %, edits and learning {:.0f} %, rounding {:.0f} % (products, GEMM, {:.0f} %), the "
      "rest "
      "{:.0f} %",
      share(t.forward), share(t.statistics), share(t.factors), share(t.edits), share(t.rounding),
      share(t.products), share(report.seconds - known));
}

// The recipe's data, the built-in texts where it names none; what was drawn goes into the recipe.
// Says what the data doctor finds. Error: bad input for data that cannot serve.
calibrate::CalibrationData draw_data(const io::Checkpoint& checkpoint,
                                     const model::ModelConfig& config, Recipe& recipe,
                                     Progress& progress) {
  if (!recipe.calibration) {
    recipe.calibration.emplace();
    if (config.max_positions > 0)
      recipe.calibration->length = std::min(recipe.calibration->length, config.max_positions);
    if (recipe.seed != 0) recipe.calibration->seed = recipe.seed;
  }
  CalibrationSetting& setting = *recipe.calibration;
  if (setting.texts.empty()) setting.texts.emplace_back(calibrate::kBuiltin);
  calibrate::DataRequest request{
      .sources = {}, .samples = setting.samples, .length = setting.length, .seed = setting.seed};
  for (const std::string& text : setting.texts)
    request.sources.push_back(calibrate::parse_source(text));
  const auto tokenizer = text::Tokenizer::load(checkpoint);
  if (!tokenizer)
    bad_input("{}: has no tokenizer, so text cannot calibrate it; use steps that need no data",
              printable(checkpoint.path(), 400));
  calibrate::CalibrationData data = calibrate::load_data(*tokenizer, checkpoint, request);
  const calibrate::DataReport report = calibrate::examine(*tokenizer, data, config);
  for (const std::string& note : data.notes) progress.note(note);
  for (const calibrate::Finding& finding : report.findings)
    if (finding.level == calibrate::Level::kWarning)
      progress.note("calibration data: " + finding.sentence);
  calibrate::refuse_unfit(report);
  return data;
}

std::uint64_t tensor_bytes(const io::Checkpoint& checkpoint) {
  std::uint64_t bytes = 0;
  for (const io::TensorInfo& tensor : checkpoint.tensors()) bytes += tensor.bytes.size();
  return bytes;
}

}  // namespace

void refuse_source(const io::Checkpoint& checkpoint) {
  const std::string shown = printable(checkpoint.path(), 400);
  if (checkpoint.is_gguf())
    unsupported(
        "{}: compress reads Hugging Face directories, not GGUF; give the checkpoint that the file "
        "was made from",
        shown);
  const Json* config = json_find(checkpoint.config(), "quantization_config");
  if (config == nullptr) return;
  unsupported(
      "{}: is compressed already (quantization_config in config.json, quant_method {}); compress "
      "starts from the original float checkpoint, as rounding twice loses twice",
      shown, printable(json_text(*config, "quant_method", "unknown", "config.json")));
}

EndNames end_names(const io::Checkpoint& checkpoint) {
  const model::Architecture& architecture = model::architecture_of(checkpoint);
  const model::ModelConfig config = model::config_of(architecture, checkpoint);
  const model::TensorMap map(architecture, config, checkpoint);
  return {map.expected_name(Slot::kEmbedding), map.expected_name(Slot::kHead)};
}

void check_places(const std::string& model, const std::string& out) {
  std::error_code ignored;
  const fs::path source = fs::weakly_canonical(model, ignored);
  fs::path place = fs::weakly_canonical(out, ignored);
  if (!place.has_filename()) place = place.parent_path();
  const auto inside = [](const fs::path& inner, const fs::path& outer) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first ==
           outer.end();
  };
  if (!fs::exists(source, ignored) || source.empty() || place.empty()) return;
  if (inside(place, source))
    usage_error("{}: lies inside the model {}; write to a place outside of it", printable(out, 400),
                printable(model, 400));
  if (inside(source, place))
    usage_error("{}: holds the model {}; write to another place", printable(out, 400),
                printable(model, 400));
}

CompressReport compress(Runtime& runtime, const io::Checkpoint& original, const std::string& out,
                        Recipe recipe, const CompressOptions& options, Progress& progress) {
  const calibrate::Stopwatch watch;
  check_places(original.path(), out);
  refuse_source(original);
  if (recipe.kv.empty()) recipe.kv = kDefaultKv;
  const auto steps = make_steps(recipe);
  calibrate::CalibrationData data;
  const Restructured restructured = restructure(
      runtime, original, steps,
      [&](const io::Checkpoint& model, const model::ModelConfig& config) -> const auto& {
        if (data.samples.empty()) data = draw_data(model, config, recipe, progress);
        return data;
      },
      recipe.kv, memory_limit(options), progress);
  const io::Checkpoint& checkpoint = restructured.last(original);
  const model::Architecture& architecture = model::architecture_of(checkpoint);
  const model::ModelConfig config = model::config_of(architecture, checkpoint);
  const model::TensorMap map(architecture, config, checkpoint);
  Plan plan = make_plan(recipe, map, options.plan);
  for (const auto& step : steps) {
    step->prepare(plan);
    step->prepare_model(plan, map);
  }
  make_portable(plan);
  const std::vector<std::string> dropped = dropped_tensors(map, plan);
  for (const std::string& line : plan.lines()) progress.note(line);

  const bool calibrated = recipe.fallback || needs_data(plan, steps);
  if (calibrated && data.samples.empty()) data = draw_data(checkpoint, config, recipe, progress);
  for (const auto& step : steps)
    step->survey({runtime, map, data, recipe.kv, progress, memory_limit(options)}, plan);
  const bool by_blocks =
      calibrated || std::ranges::any_of(steps, [](const auto& step) { return step->transforms(); });
  CalibrationOptions passes{.kv = recipe.kv, .spill = {}};
  if (recipe.calibration) passes.first_weight = recipe.calibration->first_token;
  std::uint64_t probe_bytes = 0;
  if (recipe.fallback) {
    probe_bytes = program_bytes(checkpoint, true) + fallback_need(map, plan, steps, data);
    check_memory(probe_bytes, memory_limit(options));
    choose_fallback(runtime, map, plan, steps, data, *recipe.fallback, passes, progress);
    make_portable(plan);
  }
  const std::vector<Shard> shards = lay_out(plan, checkpoint, dropped, options.shard_bytes);
  StreamNeed need = stream_need(shards, options.slab_bytes, runtime.pool.size());
  need.memory_bytes += program_bytes(checkpoint, calibrated);
  if (by_blocks && add_calibration_need(map, plan, steps, data, options, need))
    passes.spill = out + ".partial";
  need.memory_bytes = std::max(need.memory_bytes, probe_bytes);
  check_resources(need, options, out, progress);
  const std::string recipe_words = recipe_text(recipe);
  const std::string source = io::hash_checkpoint(original);
  const std::string key = sha256_hex(fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}\n{}", options.tool_version, source, recipe_words,
      options.plan.portable, options.plan.uniform_fused, options.shard_bytes, data.sha256));
  io::ArtefactWriter writer(out, key, static_cast<int>(shards.size()), options.replace);
  int resumed = 0;
  for (int i = 0; i < writer.shards(); ++i) resumed += writer.has(i) ? 1 : 0;
  if (resumed > 0)
    progress.note(fmt::format("goes on: {} of {} shards are done", resumed, writer.shards()));

  std::unique_ptr<CalibratedBlocks> blocks;
  if (by_blocks)
    blocks = std::make_unique<CalibratedBlocks>(runtime, map, plan, steps, data, passes);
  const auto results = stream_shards(
      {runtime, map, steps, shards, progress, options.slab_bytes, blocks.get()}, writer);
  fix_scales(plan, results);
  CompressReport report = make_report(plan, results, checkpoint);
  report.bytes_before += tensor_bytes(original) - tensor_bytes(checkpoint);
  report.notes = restructured.notes;
  report.memory_bytes = need.memory_bytes;
  for (std::string& line : plan.lines()) report.notes.push_back(std::move(line));
  if (const std::string note = starved_note(results); !note.empty()) {
    progress.note(note);
    report.notes.push_back(note);
  }
  for (std::string& line : pruning_notes(plan, report.units, runtime.isas)) {
    progress.note(line);
    report.notes.push_back(std::move(line));
  }
  report.recipe = recipe_words;
  report.kv = recipe.kv;
  report.source_sha256 = source;
  report.calibration_sha256 = data.sha256;
  report.calibration_tokens = data.tokens();
  for (const std::string& name : dropped) report.bytes_after -= checkpoint.find(name)->bytes.size();
  report.shards = writer.shards();
  report.resumed_shards = resumed;
  writer.write_file("config.json", artefact_config(plan, map, report.portable).dump(2) + "\n");
  writer.write_file(io::kArtefactFile, artefact_text(plan, report, recipe, options.tool_version));
  writer.copy_texts(checkpoint);
  writer.finish();
  report.seconds = watch.seconds();
  if (blocks == nullptr) return report;
  report.times = blocks->times();
  progress.note(times_note(report));
  return report;
}

}  // namespace farthing::compress
