// farthing tune MODEL OUT --max-kld X: the fastest mix under a quality floor, on this machine.
#include <fmt/core.h>

#include <csignal>
#include <filesystem>

#include "bench/measure.h"
#include "cli/common.h"
#include "cli/parse_bytes.h"
#include "cli/tune_options.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "io/artefact_writer.h"
#include "io/durable_file.h"
#include "tune/report.h"
#include "tune/search.h"

namespace farthing::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  Common common;
  StudyArguments study;
  std::string out, use = "decode", minimise = "time", max_bytes, max_memory;
  double max_kld = 0, max_perplexity = 0, min_top1 = 0, max_ms = 0, max_task_drop = 0;
  bool has_kld = false, has_perplexity = false, has_top1 = false, has_ms = false,
       has_task_drop = false;
  std::int64_t batch = 1;
  int rounds = 5;
  bool dry_run = false, pareto = false, force = false;
};

tune::TuneOptions tune_options(const Options& o) {
  tune::TuneOptions t;
  if (o.has_kld) t.floors.max_kld = o.max_kld;
  if (o.has_perplexity) t.floors.max_perplexity_increase = o.max_perplexity;
  if (o.has_top1) t.floors.min_top1 = o.min_top1;
  if (o.has_task_drop) t.floors.max_task_drop = o.max_task_drop;
  if (o.has_task_drop == o.study.tasks.empty())
    usage_error("--max-task-drop and --tasks need each other: how much, and of what");
  if (!o.max_bytes.empty())
    t.max_bytes = static_cast<double>(parse_bytes(o.max_bytes, "--max-bytes"));
  if (!o.max_memory.empty())
    t.max_memory = static_cast<double>(parse_bytes(o.max_memory, "--max-memory"));
  if (o.has_ms) t.max_ms = o.max_ms;
  if (o.minimise != "time" && o.minimise != "bytes" && o.minimise != "memory")
    usage_error("--minimise must be time, bytes or memory; got {}", printable(o.minimise));
  t.objective = o.minimise == "time"    ? tune::Measure::kTime
                : o.minimise == "bytes" ? tune::Measure::kBytes
                                        : tune::Measure::kMemory;
  t.rounds = o.rounds;
  tune::check_options(t);
  return t;
}

// Before any work.
void check_out(Options& o) {
  while (o.out.size() > 1 && o.out.ends_with('/')) o.out.pop_back();
  if (o.out.empty()) {
    if (!o.dry_run && !o.pareto) usage_error("tune needs OUT, or --dry-run or --pareto");
    return;
  }
  if (o.out.ends_with(".gguf"))
    usage_error("{}: tune writes a directory; convert makes a GGUF file of it",
                printable(o.out, 400));
  compress::check_places(o.study.model, o.out);
  std::error_code ignored;
  if (!o.dry_run && !o.force && fs::exists(o.out, ignored) && !fs::is_empty(o.out, ignored))
    usage_error("{}: is there already; --force replaces an artefact", printable(o.out, 400));
}

// The artefact takes its place; candidates that an interrupted search left go.
void put_in_place(const std::string& place, const std::string& out) {
  std::error_code ignored;
  if (fs::exists(out, ignored)) {
    if (!fs::is_empty(out, ignored) && !fs::exists(out + "/farthing.json", ignored))
      usage_error("{}: was not written by Farthing, so it is not replaced", printable(out, 400));
    io::swap_durably(place, out);
    fs::remove_all(place, ignored);
  } else {
    io::rename_durably(place, out);
  }
  const fs::path path = fs::path(out).lexically_normal();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const std::string prefix = path.filename().string() + ".candidate-";
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with(prefix)) fs::remove_all(entry.path(), ignored);
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error);
  return error || !fs::exists(path, error) ? path : full.lexically_normal().string();
}

// NAME=FILE, as verify takes them.
Json task_paths(const tune::Study& study) {
  Json paths = Json::array();
  for (const std::string& argument : study.options.tasks) {
    const evaluate::NamedFile file = evaluate::named_file(argument);
    paths.push_back(file.name + "=" + absolute(file.path));
  }
  return paths;
}

Json head_json(const Options& o, const tune::Study& study, const tune::Search& search) {
  Json texts = Json::array();
  for (const std::string& path : study.options.text.paths) texts.push_back(absolute(path));
  return {{"schema", 1},
          {"model", absolute(o.study.model)},
          {"out", o.out},
          {"source_sha256", study.source_sha256},
          {"text",
           {{"name", study.text.name},
            {"sha256", study.text.sha256},
            {"context", study.text.options.context},
            {"windows", study.text.windows.size()},
            {"probe_positions", study.probe->positions()}}},
          {"text_paths", std::move(texts)},
          {"task_paths", task_paths(study)},
          {"floor", tune::floors_json(search.options())},
          {"for", tune::workload_json(search.options().workload)},
          {"machine",
           {{"cpu", machine_limits().cpu_name},
            {"isa", isa_name(study.runtime.isas.best())},
            {"threads", study.runtime.pool.size()}}}};
}

void add_plan(const Options& o, tune::Study& study, tune::Search& search, const tune::Mix& mix,
              Json& json) {
  const auto steps = search.walk(mix, 4);
  print(o.common, tune::walk_text(*study.space, steps, 12));
  print(o.common, tune::mix_text(*study.space, mix));
  const tune::Interaction& whole = search.interaction();
  print(o.common,
        fmt::format("together KL {:.5f} +- {:.5f} on the probe, {:.2f} of the sum of single "
                    "changes\n",
                    whole.together.kld, whole.together.stderr_of_kld, whole.ratio()));
  json["expected"] = tune::outcome_json(search.expect(mix));
  json["interaction"] = {{"sum", whole.sum},
                         {"measured", whole.together.kld},
                         {"stderr", whole.together.stderr_of_kld},
                         {"ratio", whole.ratio()}};
  json["layers"] = tune::mix_json(study, search.times(), mix);
  json["walk"] = tune::walk_json(*study.space, steps);
}

void add_frontier(const Options& o, tune::Study& study, tune::Search& search, bool show,
                  Json& json) {
  const auto points = search.frontier(24);
  if (show) print(o.common, tune::frontier_text(points));
  json["pareto"] = tune::frontier_json(*study.space, points);
  json["uniform"] = tune::uniform_json(tune::uniform_outcomes(search, *study.space));
  json["sensitivity"] = tune::sensitivity_json(*study.table);
}

void finish(const Options& o, tune::Study& study, tune::Search& search, Json json,
            bench::Clock::time_point start) {
  auto found = search.find(o.out + ".candidate", FARTHING_VERSION);
  add_plan(o, study, search, found.best.mix, json);
  add_frontier(o, study, search, o.pareto, json);
  const bool has_cache = study.space->units().back().is_cache();
  const std::string kv =
      has_cache ? study.space->alternative({found.best.mix.size() - 1, found.best.mix.back()}).name
                : "fp16";
  const Json contract =
      tune::contract_json({.floors = search.options().floors,
                           .source_sha256 = study.source_sha256,
                           .kv = kv,
                           .isa = std::string(isa_name(study.runtime.isas.best()))},
                          study.text, found.best.quality, found.best.tasks);
  if (search.options().floors.any()) tune::write_contract(found.place, contract);
  json["chosen"] = tune::candidate_json(found.best);
  json["recipe"] = found.best.recipe;
  Json& rounds = json["rounds"] = Json::array();
  for (const tune::Candidate& round : found.rounds) rounds.push_back(tune::candidate_json(round));
  json["seconds"] = bench::seconds_since(start);
  io::write_durably(found.place + "/farthing.tune.json",
                    json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  put_in_place(found.place, o.out);
  for (const tune::FloorCheck& check : found.best.checks)
    print(o.common, tune::check_text(check) + "\n");
  print(o.common, fmt::format("{}: {}; {} rounds, {:.1f} s\n", printable(o.out, 400),
                              tune::outcome_text(found.best.measured), found.rounds.size(),
                              bench::seconds_since(start)));
  write_json(o.common, json);
}

void run(Options o) {
  tune::TuneOptions options = tune_options(o);
  const tune::StudyOptions study_settings = study_options(o.study);
  check_out(o);
  tune::find_workload(o.use, o.batch, 0);  // before the model is loaded
  signal(SIGXFSZ, SIG_IGN);  // a file size limit then is an error of the write, with a sentence
  const auto start = bench::Clock::now();
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto checkpoint = io::Checkpoint::open(o.study.model);
  if (checkpoint->is_gguf())
    unsupported(
        "{}: tune starts from a Hugging Face directory, not from GGUF; give the checkpoint "
        "that the file was made from",
        printable(o.study.model, 400));
  tune::Study study(*runtime, *checkpoint, study_settings, *progress);
  if (study.options.text.paths.empty())
    progress->note(
        "the quality is measured on the built-in texts, of which calibration draws too; "
        "--text names one of your own");
  options.workload = tune::find_workload(o.use, o.batch, study.config.max_positions);
  const std::string& kept = study.options.cache_directory;
  for (const evaluate::Task& task : study.tasks)
    tune::check_documents(task.name, std::ssize(task.items), o.max_task_drop);
  tune::CostModel costs(*runtime, kept.empty() ? kept : kept + "/costs.json");
  tune::Search search(study, costs, options);
  Json json = head_json(o, study, search);
  if (!o.dry_run && !o.out.empty()) return finish(o, study, search, std::move(json), start);
  const tune::Mix mix = search.plan();
  add_plan(o, study, search, mix, json);
  add_frontier(o, study, search, o.pareto, json);
  print(o.common, fmt::format("expected: {}; nothing was written ({:.1f} s)\n",
                              tune::outcome_text(search.expect(mix)), bench::seconds_since(start)));
  json["seconds"] = bench::seconds_since(start);
  write_json(o.common, json);
}

}  // namespace

void add_tune(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("MODEL", o->study.model,
                  "Hugging Face directory, or org/name in the local cache, not compressed")
      ->required();
  verb.add_option("OUT", o->out, "Directory to write");
  const Option kld = verb.add_option("--max-kld", o->max_kld, "Floor: mean KL divergence, in nats");
  const Option perplexity = verb.add_option("--max-perplexity-increase", o->max_perplexity,
                                            "Floor: 0.01 is one per cent above the model's own");
  const Option top1 = verb.add_option("--min-top1", o->min_top1,
                                      "Floor: share of positions with the model's own best token");
  const Option drop = verb.add_option("--max-task-drop", o->max_task_drop,
                                      "Floor: 0.01 is one document in a hundred that --tasks lose");
  verb.add_option("--tasks", o->study.tasks,
                  "Tasks of that floor, F[,F..] or NAME=FILE, as eval has them")
      ->delimiter(',');
  verb.add_option("--task-limit", o->study.task_limit,
                  "At most so many documents a task (default: all)")
      ->positive();
  verb.add_option("--max-bytes", o->max_bytes, "Limit: weights on disk, as in 60MB");
  verb.add_option("--max-memory", o->max_memory, "Limit: weights and key-value cache in memory");
  const Option ms = verb.add_option("--max-ms", o->max_ms, "Limit: milliseconds a token");
  verb.add_option("--minimise", o->minimise,
                  "What is made least under the floor: time, bytes or memory; without a floor the "
                  "KL divergence is")
      ->show_default();
  verb.add_option("--for", o->use, "decode, prefill, chat, rag, summarise or code")->show_default();
  verb.add_option("--batch", o->batch, "Sequences decoded at once")->within(1, 512)->show_default();
  verb.add_option("--rounds", o->rounds, "Mixes to compress and measure, at most")
      ->within(1, 100)
      ->show_default();
  verb.add_flag("--dry-run", o->dry_run, "Print the plan; write nothing");
  verb.add_flag("--pareto", o->pareto, "Print the frontier of KL divergence and time or bytes");
  verb.add_flag("--force", o->force, "Replace OUT when Farthing wrote it");
  add_study_options(verb, o->study);
  add_common(verb, o->common);
  verb.callback([=] {
    o->has_kld = kld.given(), o->has_perplexity = perplexity.given();
    o->has_top1 = top1.given(), o->has_ms = ms.given();
    o->has_task_drop = drop.given();
    run(*o);
  });
}

}  // namespace farthing::cli
