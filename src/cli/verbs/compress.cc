// farthing compress MODEL OUT: fewer bits for the weights, by a recipe.
#include "compress/compress.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>

#include "cli/common.h"
#include "cli/parse_bytes.h"
#include "cli/sweep.h"
#include "cli/verbs.h"
#include "compress/presets.h"
#include "compress/step.h"
#include "convert/bitmaps.h"
#include "convert/convert.h"
#include "core/error.h"
#include "core/heap.h"
#include "core/text.h"
#include "io/artefact_writer.h"
#include "model/architecture.h"
#include "model/config.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::vector<std::string> places;  // MODEL OUT, or OUT when the recipe names the model
  std::string preset, scheme, method, sparsity, head, embedding, activations, kv, recipe, fallback,
      memory_limit, shard_size;
  std::vector<std::string> layers, texts;
  std::string sweep, eval_text;
  std::int64_t windows = 8;
  std::int64_t samples = 0, length = 0, bits = 4;
  bool portable = true, uniform_fused = false, force = false, bitmaps = false;
  std::int64_t seed = -1;
};

compress::Recipe make_recipe(const Options& o) {
  const bool has_rules = !o.layers.empty() || !o.head.empty() || !o.embedding.empty();
  // Pruning alone leaves the weights in the type that they have.
  if (o.recipe.empty() && o.scheme.empty() && o.preset.empty() && !has_rules && o.sparsity.empty())
    usage_error(
        "compress needs --preset (fast, balanced, best), --scheme (w4g64, w8g32, ...), rules of "
        "its own (--layers) or a --recipe");
  if (!o.preset.empty() && (!o.recipe.empty() || !o.scheme.empty() || !o.method.empty()))
    usage_error("--preset and {} both say what to do; keep one of them",
                !o.recipe.empty() ? "--recipe" : (o.scheme.empty() ? "--method" : "--scheme"));
  if (!o.recipe.empty() && (!o.scheme.empty() || !o.method.empty()))
    usage_error("--recipe and {} both say what to do; write it into the recipe",
                o.scheme.empty() ? "--method" : "--scheme");
  compress::Recipe recipe;
  if (!o.recipe.empty()) recipe = compress::read_recipe(o.recipe);
  if (!o.preset.empty()) recipe = compress::preset_recipe(o.preset, o.bits);
  if (!o.scheme.empty())
    recipe.layers.push_back(compress::make_rule("re:.*", o.scheme, "--scheme"));
  for (const std::string& rule : o.layers)
    recipe.layers.push_back(compress::parse_layer_rule(rule, "--layers"));
  if (!o.method.empty())
    for (compress::StepSetting& step : compress::steps_of_method(o.method))
      recipe.steps.push_back(std::move(step));
  if (!o.sparsity.empty()) compress::set_sparsity(recipe.steps, o.sparsity);
  if (!o.activations.empty()) recipe.activations = parse_activation_mode(o.activations);
  if (!o.kv.empty()) {
    compress::check_kv_name(o.kv, "--kv");
    recipe.kv = o.kv;
  }
  if (!o.fallback.empty()) recipe.fallback = compress::parse_fallback(o.fallback, "--fallback");
  if (o.seed >= 0) recipe.seed = o.seed;
  if (!recipe.calibration && (!o.texts.empty() || o.samples > 0 || o.length > 0))
    recipe.calibration.emplace();
  if (!recipe.calibration) return recipe;
  if (!o.texts.empty()) recipe.calibration->texts = o.texts;
  if (o.samples > 0) recipe.calibration->samples = o.samples;
  if (o.length > 0) recipe.calibration->length = o.length;
  if (o.seed >= 0) recipe.calibration->seed = o.seed;
  return recipe;
}

void add_end_rules(const Options& o, const io::Checkpoint& checkpoint, compress::Recipe& recipe) {
  if (o.head.empty() && o.embedding.empty()) return;
  const compress::EndNames names = compress::end_names(checkpoint);
  if (!o.embedding.empty())
    recipe.layers.push_back(compress::make_rule(names.embedding, o.embedding, "--embedding"));
  if (!o.head.empty()) recipe.layers.push_back(compress::make_rule(names.head, o.head, "--head"));
}

// A preset's samples are as long as the model takes; a length that was asked for stays.
void fit_length(const Options& o, const io::Checkpoint& checkpoint, compress::Recipe& recipe) {
  if (!recipe.calibration || o.length > 0 || !o.recipe.empty()) return;
  const auto positions =
      model::config_of(model::find_architecture(checkpoint.config()), checkpoint).max_positions;
  if (positions > 0) recipe.calibration->length = std::min(recipe.calibration->length, positions);
}

// One line a scheme, then all of them.
std::string table(const compress::CompressReport& report, const std::string& out) {
  struct Row {
    int matrices = 0;
    std::uint64_t weights = 0, before = 0, after = 0;
    double error = 0;
  };
  std::map<std::string, Row> rows;
  std::uint64_t before = 0, after = 0;
  for (const compress::UnitReport& unit : report.units) {
    const bool multiplies = unit.compressed && !unit.activations.empty();
    Row& row = rows[unit.scheme + (multiplies ? " x " + unit.activations : "")];
    ++row.matrices;
    row.weights += unit.weights;
    row.before += unit.bytes_before;
    row.after += unit.bytes_after;
    row.error += unit.error * static_cast<double>(unit.weights);
    before += unit.bytes_before;
    after += unit.bytes_after;
  }
  constexpr std::string_view kLine = "{:<22} {:>8} {:>12} {:>12} {:>12} {:>15}\n";
  std::string text = fmt::format(kLine, "weights x activations", "matrices", "before", "after",
                                 "bits/weight", "relative error");
  for (const auto& [name, row] : rows) {
    const auto weights = static_cast<double>(row.weights);
    text += fmt::format(kLine, name, row.matrices, human_bytes(row.before), human_bytes(row.after),
                        fmt::format("{:.3f}", static_cast<double>(row.after) * 8 / weights),
                        row.error > 0 ? fmt::format("{:.3e}", row.error / weights) : "0");
  }
  text += fmt::format(kLine, "norms and the rest", "", human_bytes(report.bytes_before - before),
                      human_bytes(report.bytes_after - after), "", "");
  text += fmt::format(kLine, "all", report.units.size(), human_bytes(report.bytes_before),
                      human_bytes(report.bytes_after), "", "");
  if (report.bits_per_weight == 0)  // floats throughout
    return text +
           fmt::format("{}: {}, {:.1f} s\n", out, human_bytes(report.bytes_after), report.seconds);
  text += fmt::format(
      "{}: {} ({}), {:.3f} bits a compressed weight, mean relative error {:.3e}, {:.1f} s\n", out,
      human_bytes(report.bytes_after),
      out.ends_with(".gguf") ? "GGUF"
      : report.portable      ? "compressed-tensors"
                             : "Farthing's own kind",
      report.bits_per_weight, report.mean_error, report.seconds);
  return text;
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

Json to_json(const compress::CompressReport& report, const std::string& model,
             const std::string& out) {
  Json layers = Json::array();
  for (const compress::UnitReport& unit : report.units) {
    Json row = {{"name", unit.base},
                {"scheme", unit.scheme},
                {"activations", unit.activations.empty() ? Json() : Json(unit.activations)},
                {"weights", unit.weights},
                {"bytes_before", unit.bytes_before},
                {"bytes_after", unit.bytes_after},
                {"error", unit.error},
                {"zeros", unit.zeros}};
    if (!unit.asked.empty()) row["asked"] = unit.asked;
    layers.push_back(std::move(row));
  }
  return {{"schema", 1},
          {"model", model},
          {"out", out},
          {"quant_method", report.portable ? "compressed-tensors" : "farthing"},
          {"recipe", report.recipe},
          {"kv", report.kv},
          {"source_sha256", report.source_sha256},
          {"bytes_before", report.bytes_before},
          {"bytes_after", report.bytes_after},
          {"compressed_weights", report.compressed_weights},
          {"bits_per_weight", report.bits_per_weight},
          {"mean_error", report.mean_error},
          {"notes", report.notes},
          {"shards", report.shards},
          {"resumed_shards", report.resumed_shards},
          {"seconds", report.seconds},
          {"memory_forecast_bytes", report.memory_bytes},
          {"peak_rss_bytes", peak_rss_bytes()},
          {"seconds_by_work",
           {{"forward", report.times.forward},
            {"statistics", report.times.statistics},
            {"edits", report.times.edits},
            {"factors", report.times.factors},
            {"rounding", report.times.rounding},
            {"rounding_products", report.times.products}}},
          {"layers", std::move(layers)}};
}

Json finish_gguf(Runtime& runtime, const std::string& artefact, const std::string& out, bool force,
                 Progress& progress) {
  const auto checkpoint = io::Checkpoint::open(artefact);
  const convert::ConvertReport report = convert::to_gguf(
      runtime, *checkpoint, out,
      {.name = std::filesystem::path(out).stem().string(), .replace = force}, progress);
  std::filesystem::remove_all(artefact);
  for (const std::string& note : report.notes) progress.note(note);
  return {{"bytes", report.bytes_after}, {"exact", report.exact()}, {"notes", report.notes}};
}

// The dense artefact becomes one without its zeros.
Json finish_bitmaps(Runtime& runtime, const Common& common, const std::string& artefact,
                    const std::string& out, bool force, Progress& progress) {
  const auto checkpoint = io::Checkpoint::open(artefact);
  const convert::ConvertReport report =
      convert::to_bitmaps(runtime, *checkpoint, out, {.replace = force}, progress);
  std::filesystem::remove_all(artefact);
  for (const std::string& note : report.notes) progress.note(note);
  print(common,
        fmt::format("{}: {} matrices as bitmaps: {} instead of {}\n", out, report.tensors.size(),
                    human_bytes(report.bytes_after), human_bytes(report.bytes_before)));
  return {{"bytes", report.bytes_after},
          {"dense_bytes", report.bytes_before},
          {"matrices", report.tensors.size()},
          {"notes", report.notes}};
}

void sweep(const Options& o, const io::Checkpoint& checkpoint, const compress::Recipe& recipe,
           SweepRequest request) {
  if (o.eval_text.empty())
    usage_error("--sweep measures every configuration on a text; name one with --eval-text");
  if (request.out.ends_with(".gguf"))
    usage_error("--sweep keeps the best as a directory; convert it to GGUF afterwards");
  if (o.bitmaps)
    usage_error("--sweep keeps the best dense; convert it with --to bitmaps afterwards");
  request.text = o.eval_text;
  request.windows = o.windows;
  request.options.replace = o.force;
  const auto points = compress::sweep_points(recipe, compress::parse_sweep(o.sweep));
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  run_sweep(*runtime, o.common, checkpoint, points, request, *progress);
}

void run(const Options& o) {
  compress::Recipe recipe = make_recipe(o);
  std::string model = recipe.model, out = o.places.back();
  if (o.places.size() == 2) model = o.places.front();
  if (!o.sweep.empty() && model.empty()) std::swap(model, out);  // nothing is kept
  if (model.empty())
    usage_error("compress needs MODEL and OUT; only {} was given", printable(out, 400));
  compress::CompressOptions options;
  options.plan = {.portable = o.portable, .uniform_fused = o.uniform_fused};
  options.replace = o.force;
  options.tool_version = FARTHING_VERSION;
  if (!o.memory_limit.empty()) options.memory_limit = parse_bytes(o.memory_limit, "--memory-limit");
  if (!o.shard_size.empty()) options.shard_bytes = parse_bytes(o.shard_size, "--shard-size");
  signal(SIGXFSZ, SIG_IGN);  // a file size limit then is an error of the write, with a sentence
  const auto checkpoint = io::Checkpoint::open(model);
  add_end_rules(o, *checkpoint, recipe);
  fit_length(o, *checkpoint, recipe);
  if (!o.sweep.empty())
    return sweep(o, *checkpoint, recipe,
                 {.model = model, .out = out, .text = {}, .options = options});
  give_back_freed_memory();
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  // A GGUF file is made of an artefact beside it, so that every step can be on the way, a run that
  // was stopped goes on, and the file is there whole or not at all.
  const bool gguf = out.ends_with(".gguf");
  const std::string artefact = gguf || o.bitmaps ? out + ".artefact" : out;
  if (gguf && o.bitmaps) usage_error("--bitmaps is for directories, and OUT ends in .gguf");
  if (gguf) {
    options.plan.portable = false;
    options.plan.gguf = options.replace = true;
    convert::check_output(out, o.force);
  }
  if (o.bitmaps) {
    options.replace = true;
    io::check_artefact_place(out, o.force);
  }
  const compress::CompressReport report =
      compress::compress(*runtime, *checkpoint, artefact, std::move(recipe), options, *progress);
  print(o.common, table(report, out));
  Json json = to_json(report, model, out);
  if (o.bitmaps)
    json["bitmaps"] = finish_bitmaps(*runtime, o.common, artefact, out, o.force, *progress);
  if (gguf) json["gguf"] = finish_gguf(*runtime, artefact, out, o.force, *progress);
  write_json(o.common, json);
}

}  // namespace

void add_compress(VerbOptions& verb) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  verb.add_option(
          "MODEL OUT", o.places,
          "Hugging Face directory or org/name in the local cache, and the directory to write, or "
          "the file when its name ends in .gguf")
      ->required()
      ->expected(1, 2);
  std::string known;
  for (const compress::Preset& preset : compress::presets())
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", preset.name, preset.summary);
  verb.add_option("--preset", o.preset, "Where to start: " + known);
  verb.add_option("--bits", o.bits, "Bits of a preset's weights, 2 to 8 (4)");
  verb.add_option("--scheme", o.scheme,
                  "Scheme of the blocks' linears: w4g64, w8g32, w3g32-asym, w8c, bf16, ...");
  verb.add_option(
      "--method", o.method,
      "How to compress: rtn (default; the same as search), minmax, shrink, search, hqq, smooth, "
      "awq, gptq, gptaq; magnitude, wanda, wanda-owl, sparsegpt, sparsegpt-owl take weights out; "
      "drop-layers, drop-layers-kl, drop-channels, drop-heads (the last two also with -taylor, "
      "by gradients), drop-experts make a smaller model; split-vocabulary lets rows of "
      "embedding and head differ; several joined, as awq+gptq or wanda+gptq");
  verb.add_option(
      "--sparsity", o.sparsity,
      "What a pruning method takes out: a share of the weights, layers, channels, heads or "
      "experts (0.5), or all but N of every M inputs (2:4, 4:8)");
  verb.add_option("--layers", o.layers,
                  "NAME=SCHEME or re:EXPRESSION=SCHEME for some matrices; the last match counts")
      ->expected(1)
      ->take_all();
  verb.add_option("--head", o.head, "Scheme of the head (default: as it is)");
  verb.add_option("--embedding", o.embedding, "Scheme of the embedding (default: as it is)");
  verb.add_option("--activations", o.activations,
                  "Activation mode of all linears: fp32, bf16, int16 or int8 (default: int16 for "
                  "weights above 5 bits, else int8)");
  verb.add_option(
      "--fallback", o.fallback,
      "SCHEME=SHARE, as in bf16=0.1: the matrices whose rounding costs most, measured on "
      "the calibration data, keep that scheme, up to this share of the blocks' weights");
  verb.add_option("--kv", o.kv, "Key-value cache to record: bf16, fp16 (default), int8 or int4");
  verb.add_option("--recipe", o.recipe, "A recipe (YAML) instead of --scheme and --method");
  verb.add_flag("--portable,!--no-portable", o.portable,
                "Only what compressed-tensors reads (default), or Farthing's own kind");
  verb.add_flag("--bitmaps", o.bitmaps,
                "Leave zeros out of the files: a bit a weight and the weights that are not zero, "
                "where that takes fewer bytes (see convert --to bitmaps)");
  verb.add_flag("--uniform-fused", o.uniform_fused,
                "One scheme for q, k, v; for gate, up; for a layer's experts (vLLM needs it)");
  verb.add_option("--text", o.texts,
                  "Calibration data: text, JSON lines or conversations, FILE or FILE=WEIGHT "
                  "(default: the built-in texts)")
      ->expected(1)
      ->take_all();
  verb.add_option("--samples", o.samples, "Calibration samples (128)")->positive();
  verb.add_option("--length", o.length,
                  "Tokens of a calibration sample (512, or as many as the model takes)")
      ->positive();
  verb.add_option("--seed", o.seed, "Seed of the calibration samples and of what is random");
  verb.add_option("--memory-limit", o.memory_limit, "Memory to stay within, as in 8GB");
  verb.add_option("--shard-size", o.shard_size,
                  "Least size of a file of weights, and of what is done again after a kill (32MB)");
  verb.add_option("--sweep", o.sweep,
                  "Compress by every combination of settings and print the table of size and "
                  "quality: alpha=0.3:0.9:0.1,scheme=w4g32|w4g64; OUT gets the best, and may be "
                  "left out");
  verb.add_option("--eval-text", o.eval_text, "The text that a sweep measures on");
  verb.add_option("--windows", o.windows, "Windows of 512 tokens of that text (8)")->positive();
  verb.add_flag("--force", o.force, "Replace OUT when Farthing wrote it");
  add_common(verb, o.common);
  verb.callback([options] { run(*options); });
}

}  // namespace farthing::cli
