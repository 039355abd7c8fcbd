// farthing eval MODEL --text F --tasks F [--reference MODEL]
#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>

#include "cli/beside.h"
#include "cli/common.h"
#include "cli/model_quality.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "evaluate/results_json.h"
#include "io/durable_file.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  std::vector<std::string> texts;
  std::vector<std::string> tasks;
  std::string convention = "all", bos = "auto", reference, reference_kv;
  std::string examples, prompts, lm_eval_json;
  std::int64_t context = 0, windows = 0, limit = 0, shots = 0, max_tokens = 64;
};

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

void print_text(const Common& common, const evaluate::EvalText& text,
                const evaluate::TextResult& r) {
  print(common, fmt::format("{}: perplexity {:.4f} (nll {:.5f} +- {:.5f}, {} tokens in {} windows "
                            "of {}, convention {}, {:.1f} s)\n",
                            text.name, r.perplexity, r.nll, r.nll_stderr, r.tokens,
                            text.windows.size(), text.options.context,
                            evaluate::convention_name(text.options.convention), r.seconds));
  if (!r.against) return;
  const auto& a = *r.against;
  print(common,
        fmt::format("  against the reference (perplexity {:.4f}): KL {:.6f} +- {:.6f}, median "
                    "{:.6f}, 99 % {:.4f}, 99.9 % {:.4f}, "
                    "max {:.3f}; same top token {:.2f} %, RMS delta p {:.2f} %\n",
                    a.reference_perplexity, a.kld.mean, a.kld.stderr_of_mean, a.kld.median,
                    a.kld.p99, a.kld.p999, a.kld.max, 100 * a.top1_agreement, 100 * a.rms_delta_p));
}

void print_task(const Common& common, const evaluate::Task& task,
                const evaluate::TaskResult& result) {
  std::string line;
  for (const evaluate::Metric& m : evaluate::metrics_of(task, result))
    line += fmt::format("{}{} {:.4f} +- {:.4f}", line.empty() ? "" : ", ", m.name, m.estimate.value,
                        m.estimate.stderr_of_value);
  print(common,
        fmt::format("{}: {} ({} documents of form {}, {} shots, {:.1f} s)\n", printable(task.name),
                    line, task.items.size(), task.form->name, task.shots, result.seconds));
}

void print_flips(const Common& common, const evaluate::Flips& f) {
  print(common, fmt::format("  against the reference: {:+.2f} % +- {:.2f} %; lost {}, gained {} "
                            "(McNemar p {:.3f}), another wrong choice {}\n",
                            100 * f.change.value, 100 * f.change.stderr_of_value, f.lost, f.gained,
                            f.mcnemar_p, f.other_wrong_choice));
}

// Everything that is read before a model runs: a bad file ends the run at its start.
struct Inputs {
  std::vector<evaluate::EvalText> texts;
  std::vector<evaluate::Task> tasks;
  std::vector<std::string> prompts;
};

std::vector<evaluate::NamedFile> named(const std::vector<std::string>& arguments,
                                       std::string_view what, bool keep_extension) {
  std::vector<evaluate::NamedFile> files;
  for (const std::string& argument : arguments)
    files.push_back(evaluate::named_file(argument, keep_extension));
  evaluate::check_names_differ(files, what);
  return files;
}

// positions: the most that the model was made for, 0 where it does not say.
Inputs read_inputs(const Options& o, const text::Tokenizer& tokenizer, std::int64_t positions) {
  evaluate::WindowOptions windows{
      .context = o.context, .windows = o.windows, .bos = evaluate::parse_bos(o.bos)};
  evaluate::apply_convention(o.convention, windows);
  if (o.context == 0 && positions > 0) windows.context = std::min(windows.context, positions);
  Inputs inputs;
  for (const auto& [name, path] : named(o.texts, "texts", true))
    inputs.texts.push_back(
        evaluate::cut_windows(name, evaluate::read_eval_text(path), tokenizer, windows));
  for (const evaluate::NamedFile& file : named(o.tasks, "tasks", false))
    inputs.tasks.push_back(
        evaluate::read_task(file, {.limit = o.limit, .shots = o.shots, .examples = o.examples}));
  if (!o.prompts.empty()) inputs.prompts = evaluate::read_prompts(o.prompts);
  return inputs;
}

void check_options(const Options& o) {
  evaluate::WindowOptions ignored{.context = o.context};
  evaluate::apply_convention(o.convention, ignored);
  evaluate::parse_bos(o.bos);
  if (o.texts.empty() && o.tasks.empty() && o.prompts.empty())
    usage_error("eval needs something to measure: --text, --tasks or --prompts");
  if (o.shots > 0 && o.examples.empty())
    usage_error("--shots {} needs --shots-from FILE, where the examples come from", o.shots);
  if (!o.prompts.empty() && o.reference.empty())
    usage_error("--prompts compares the answers of two models; give the other with --reference");
  if (!o.lm_eval_json.empty() && o.tasks.empty())
    usage_error("--lm-eval-json holds results of tasks; give some with --tasks");
}

class Evaluation {
 public:
  Evaluation(const Options& o, Runtime& runtime, Progress& progress, const LoadedModel& model,
             const LoadedModel& reference, const text::Tokenizer& tokenizer)
      : o_(o),
        runtime_(runtime),
        progress_(progress),
        tokenizer_(tokenizer),
        runner_{model.model.get(), model.kv},
        reference_{reference.model.get(), reference.kv},
        settings_{.isa = std::string(isa_name(runtime.isas.best())),
                  .activations = modes_of(*model.model),
                  .kv = std::string(kernels::kv_type_name(model.kv)),
                  .reference = o.reference} {}

  void run(const Inputs& inputs, Json& result) {
    for (const evaluate::EvalText& text : inputs.texts) {
      const auto r = evaluate::evaluate_text(runtime_, runner_, compared() ? &reference_ : nullptr,
                                             text, progress_);
      result["texts"][text.name] = evaluate::text_json(text, r, settings_, tokenizer_);
      print_text(o_.common, text, r);
    }
    std::vector<evaluate::TaskRun> runs;
    for (const evaluate::Task& task : inputs.tasks) runs.push_back({task, run_task(task, result)});
    if (!o_.lm_eval_json.empty())
      io::write_durably(o_.lm_eval_json,
                        evaluate::lm_eval_json(runs, o_.model.model, o_.limit).dump(2) + "\n");
    if (!inputs.prompts.empty()) match_answers(inputs.prompts, result);
  }

 private:
  bool compared() const { return reference_.model != nullptr; }

  evaluate::TaskResult run_task(const evaluate::Task& task, Json& result) {
    auto r = evaluate::run_task(runtime_, runner_, tokenizer_, task, progress_);
    result["tasks"][task.name] = evaluate::task_json(task, r, settings_);
    print_task(o_.common, task, r);
    if (r.truncated > 0)
      progress_.note(
          fmt::format("note: {}: {} contexts were longer than the model's positions "
                      "and lost their beginning",
                      printable(task.name), r.truncated));
    if (!compared()) return r;
    const auto before = evaluate::run_task(runtime_, reference_, tokenizer_, task, progress_);
    const evaluate::Flips flips = evaluate::compare_outcomes(task, before, r);
    result["flips"][task.name] = evaluate::flips_json(task, flips, before, settings_);
    print_flips(o_.common, flips);
    return r;
  }

  void match_answers(const std::vector<std::string>& prompts, Json& result) {
    const auto g = evaluate::match_generation(runtime_, runner_, reference_, tokenizer_, prompts,
                                              o_.max_tokens, progress_);
    const std::string name = evaluate::named_file(o_.prompts).name;
    result["generation"][name] = evaluate::generation_json(g, o_.max_tokens, settings_, tokenizer_);
    print(o_.common,
          fmt::format("{}: {:.1f} % of {} answers are the reference's to the end, {:.1f} % +- "
                      "{:.1f} % of their tokens before the first difference ({:.1f} s)\n",
                      printable(name), 100 * g.exact_match.value, prompts.size(),
                      100 * g.agreed_share.value, 100 * g.agreed_share.stderr_of_value, g.seconds));
  }

  const Options& o_;
  Runtime& runtime_;
  Progress& progress_;
  const text::Tokenizer& tokenizer_;
  evaluate::Runner runner_, reference_;
  evaluate::Settings settings_;
};

// The reference runs as it is: only the model under test takes the options.
LoadedModel load_reference(Runtime& runtime, const Options& o, const LoadedModel& model) {
  if (o.reference.empty()) return {};
  LoadedModel reference = load_model(runtime, {.model = o.reference,
                                               .activations = "",
                                               .kv = o.reference_kv,
                                               .dtype = "",
                                               .streamed = o.model.streamed});
  evaluate::check_same_vocabulary(*model.model, *reference.model);
  return reference;
}

void run(const Options& o) {
  check_options(o);
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  LoadedModel loaded = load_model(*runtime, o.model);
  const auto tokenizer = text::Tokenizer::load(*loaded.checkpoint);
  if (!tokenizer) bad_input("{}: has no tokenizer, so text cannot be evaluated", o.model.model);
  const Inputs inputs = read_inputs(o, *tokenizer, loaded.model->config().max_positions);
  if (!inputs.texts.empty() &&
      inputs.texts.front().options.context > loaded.model->config().max_positions)
    progress->note(
        fmt::format("note: windows of {} tokens are longer than the {} that the model was made for",
                    inputs.texts.front().options.context, loaded.model->config().max_positions));
  std::int64_t weights_bytes = 0;
  for (const io::TensorInfo& tensor : loaded.checkpoint->tensors())
    weights_bytes += static_cast<std::int64_t>(tensor.bytes.size());
  Json result{{"schema", 1},
              {"texts", Json::object()},
              {"tasks", Json::object()},
              {"flips", Json::object()},
              {"generation", Json::object()},
              {"weights_bytes", weights_bytes},
              {"resident_bytes", loaded.model->bytes()}};
  const LoadedModel reference = load_reference(*runtime, o, loaded);
  Evaluation(o, *runtime, *progress, loaded, reference, *tokenizer).run(inputs, result);
  result["peak_rss_bytes"] = peak_rss_bytes();
  print(o.common, fmt::format("weights {}, resident {}, peak memory {}\n",
                              human_bytes(static_cast<std::uint64_t>(weights_bytes)),
                              human_bytes(loaded.model->bytes()),
                              human_bytes(static_cast<std::uint64_t>(peak_rss_bytes()))));
  write_json(o.common, result);
  keep_beside(o.model.model, "farthing.eval.json", std::move(result), *progress);
}

}  // namespace

void add_eval(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--text", o->texts,
                  "Text file or JSON lines ({\"text\": ...}), or NAME=FILE; may be given several "
                  "times");
  verb.add_option("--tasks", o->tasks,
                  "Tasks, F[,F..] or NAME=FILE: JSON lines of arc, piqa, winogrande, openbookqa, "
                  "boolq, hellaswag, mmlu, lambada, or {query, choices, gold}")
      ->delimiter(',');
  verb.add_option("--limit", o->limit, "At most so many documents a task (default: all)")
      ->positive();
  verb.add_option("--shots", o->shots, "Examples with their answers before each document")
      ->not_negative();
  verb.add_option("--shots-from", o->examples, "File of the examples, of the task's form");
  verb.add_option("--prompts", o->prompts,
                  "Compare greedy answers with the reference's: JSON lines with \"prompt\" or "
                  "\"text\", or a prompt a line");
  verb.add_option("--max-tokens", o->max_tokens, "Tokens an answer of --prompts")
      ->show_default()
      ->positive();
  verb.add_option("--lm-eval-json", o->lm_eval_json,
                  "Also write the tasks in lm-evaluation-harness's results shape");
  verb.add_option(
      "--reference", o->reference,
      "Model to compare with: adds KL divergence, top-1 agreement, RMS delta p and flips");
  verb.add_option("--reference-kv", o->reference_kv, "Key-value cache of the reference");
  verb.add_option("--context", o->context, "Tokens a window (default 512, 2048 for gptq, or the model's most)")
      ->positive();
  verb.add_option("--convention", o->convention,
                  "Positions scored: all, second-half; or gptq, llama.cpp")
      ->show_default();
  verb.add_option("--windows", o->windows, "At most so many windows a text (default: all)")
      ->positive();
  verb.add_option("--bos", o->bos, "Beginning-of-text token: auto, yes or no")->show_default();
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
