// farthing verify OUT: does the artefact keep its promise here?
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "bench/measure.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "evaluate/tasks/run.h"
#include "io/artefact.h"
#include "tune/contract.h"
#include "tune/study.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string artefact, reference;
  std::vector<std::string> texts, tasks;
};

ModelOptions model_at(const std::string& place) {
  ModelOptions options;
  options.model = place;
  return options;
}

// What tune left beside the artefact: where the model and the texts were.
void take_defaults(Options& o) {
  const std::string path = o.artefact + "/farthing.tune.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return;
  const Json json = read_json_file(path);
  if (o.reference.empty()) o.reference = json_text(json, "model", "", path);
  const auto take = [&](std::string_view key, std::vector<std::string>& to) {
    const Json* paths = json_find(json, key);
    if (!to.empty() || paths == nullptr || !paths->is_array()) return;
    for (const Json& text : *paths)
      if (text.is_string()) to.push_back(text.get<std::string>());
  };
  take("text_paths", o.texts);
  take("task_paths", o.tasks);
}

tune::Contract read_contract(const io::Checkpoint& checkpoint, const std::string& place) {
  const auto text = checkpoint.text_file(io::kArtefactFile);
  const auto artefact =
      text ? std::optional(io::parse_artefact(*text, printable(place, 400))) : std::nullopt;
  if (!artefact || !artefact->contract)
    bad_input("{}: has no accuracy contract; farthing tune writes one", printable(place, 400));
  return tune::parse_contract(*artefact->contract, printable(place, 400));
}

void check_text(const evaluate::EvalText& text, const tune::Contract& contract) {
  if (text.sha256 != contract.text_sha256)
    bad_input(
        "the contract was proven on another text ({}, SHA-256 {}), and this one has {}; give "
        "that text with --text",
        printable(contract.text_name), printable(contract.text_sha256), text.sha256);
  if (std::ssize(text.windows) != contract.windows)
    bad_input("the text gives {} windows of {} tokens and the contract has {}", text.windows.size(),
              contract.context, contract.windows);
}

// The contract's tasks with the files that were given for them.
std::vector<evaluate::Task> read_tasks(const Options& o, const tune::Contract& contract) {
  std::vector<evaluate::Task> tasks;
  for (const tune::TaskChange& proven : contract.tasks) {
    const auto given = std::ranges::find_if(o.tasks, [&](const std::string& argument) {
      return evaluate::named_file(argument).name == proven.name;
    });
    if (given == o.tasks.end())
      usage_error("the contract has the task {}; give its file with --tasks {}=FILE",
                  printable(proven.name), printable(proven.name));
    tasks.push_back(tune::read_tasks({*given}, proven.documents).front());
    if (tasks.back().sha256 != proven.sha256 || std::ssize(tasks.back().items) != proven.documents)
      bad_input(
          "the contract was proven on another file of the task {} (SHA-256 {}, {} documents); give "
          "that one with --tasks",
          printable(proven.name), printable(proven.sha256), proven.documents);
  }
  return tasks;
}

void run(Options o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto start = bench::Clock::now();
  LoadedModel own = load_model(*runtime, model_at(o.artefact));
  const tune::Contract contract = read_contract(*own.checkpoint, o.artefact);
  take_defaults(o);
  const std::vector<evaluate::Task> tasks = read_tasks(o, contract);
  if (o.reference.empty())
    usage_error("verify needs --reference, the model that {} was made from",
                printable(o.artefact, 400));
  const auto reference_checkpoint = io::Checkpoint::open(o.reference);
  if (io::hash_checkpoint(*reference_checkpoint) != contract.source_sha256)
    bad_input(
        "{}: is not the model that the contract was proven against; give that one with "
        "--reference",
        printable(o.reference, 400));
  const auto tokenizer = text::Tokenizer::load(*reference_checkpoint);
  if (!tokenizer) bad_input("{}: has no tokenizer", printable(o.reference, 400));
  LoadedModel reference = load_model(*runtime, model_at(o.reference));
  const evaluate::EvalText text =
      tune::read_text({.paths = o.texts, .context = contract.context, .windows = contract.windows},
                      *tokenizer, reference.model->config());
  check_text(text, contract);
  const evaluate::Runner runner{own.model.get(), own.kv},
      other{reference.model.get(), reference.kv};
  const auto result = evaluate::evaluate_text(*runtime, runner, &other, text, *progress);
  std::vector<tune::TaskChange> changes;
  for (const evaluate::Task& task : tasks) {
    const auto before = evaluate::run_task(*runtime, other, *tokenizer, task, *progress);
    changes.push_back(tune::task_change(
        task, before, evaluate::run_task(*runtime, runner, *tokenizer, task, *progress)));
  }
  const auto checks = tune::check_floors(contract.floors, result, changes);
  for (const tune::FloorCheck& check : checks) print(o.common, tune::check_text(check) + "\n");
  const bool holds = tune::all_hold(checks);
  print(o.common,
        fmt::format("{}: the contract {} here (KL {:.6f}, proven {:.6f}, {} positions of "
                    "{}, {}, {:.1f} s)\n",
                    printable(o.artefact, 400), holds ? "holds" : "does not hold",
                    result.against->kld.mean, contract.kld, result.tokens, printable(text.name),
                    isa_name(runtime->isas.best()), bench::seconds_since(start)));
  write_json(o.common, {{"schema", 1},
                        {"artefact", o.artefact},
                        {"reference", o.reference},
                        {"holds", holds},
                        {"tasks", tune::task_changes_json(changes)},
                        {"checks", tune::checks_json(checks)},
                        {"proven_kld", contract.kld},
                        {"measured", tune::quality_json(result)},
                        {"isa", isa_name(runtime->isas.best())},
                        {"seconds", bench::seconds_since(start)}});
  if (!holds)
    bad_input("{}: does not keep its accuracy contract on this machine; tune it anew here",
              printable(o.artefact, 400));
}

}  // namespace

void add_verify(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("OUT", o->artefact, "An artefact that tune wrote")->required();
  verb.add_option("--reference", o->reference,
                  "The model that it was made from (default: where it was then)");
  verb.add_option("--text", o->texts, "The text of the contract (default: where it was then)")
      ->expected(1)
      ->take_all();
  verb.add_option("--tasks", o->tasks,
                  "Tasks of the contract, F[,F..] or NAME=FILE (default: where they were then)")
      ->delimiter(',');
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
