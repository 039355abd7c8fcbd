// farthing distill TEACHER STUDENT OUT: trains a student on what its teacher says.
#include "train/distill.h"

#include <fmt/core.h>
#include <signal.h>

#include "bench/probes.h"
#include "cli/beside.h"
#include "cli/common.h"
#include "cli/model_quality.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/heap.h"
#include "core/text.h"
#include "train/student.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string teacher, student, out;
  std::vector<std::string> texts;
  std::string loss = "forward", optimizer = "adamw", part = "all", precision = "fp32";
  QualityRequest held_out{.texts = {}, .windows = 40};
  train::DistillOptions distill;
};

void print_report(const Options& o, const train::DistillReport& r) {
  const train::TrainReport& t = r.train;
  // A run that went on knows only its own steps.
  const std::string begin =
      t.first_step == 0 ? "at first" : fmt::format("behind step {}", t.first_step);
  print(o.common, fmt::format("{} steps of {} samples: cross entropy {:.4f} {}, {:.4f} at last",
                              t.steps, o.distill.batch, t.first.labels, begin, t.last.labels));
  if (o.distill.loss.labels < 1)
    print(o.common, fmt::format("; {} divergence {:.4f} {}, {:.4f} at last", o.loss,
                                t.first.divergence, begin, t.last.divergence));
  print(o.common, fmt::format("\n{} of {} parameters trained on {} tokens in {:.0f} s: {:.0f} "
                              "tokens/s, {:.1f} GFLOP/s\n",
                              t.trained, r.parameters, t.tokens, t.seconds,
                              static_cast<double>(t.tokens) / std::max(t.seconds, 1e-9), t.gflops));
}

Json loss_json(const train::BatchLoss& loss) {
  return {{"total", loss.total},
          {"cross_entropy", loss.labels},
          {"divergence", loss.divergence},
          {"hidden", loss.hidden}};
}

// The student's quality against its teacher on the texts that were held out. Null: none were, or
// there is no student yet but its configuration.
Json held_out_quality(Runtime& runtime, const Options& o, const std::string& student,
                      Progress& progress) {
  if (o.held_out.texts.empty() || train::is_config_only(student)) return nullptr;
  QualityRequest request = o.held_out;
  request.context = o.distill.data.length;
  return quality_against(runtime, student, o.teacher, request, progress);
}

void print_quality(const Common& common, const Json& before, const Json& after) {
  for (const auto& [name, now] : after.items()) {
    const auto each = [&](const char* key) {
      const auto value = [&](const Json& text) {
        const Json& found = text.at(key);
        return fmt::format("{:.4f}", (found.is_object() ? found.at("mean") : found).get<double>());
      };
      return before.is_null() ? value(now) : value(before.at(name)) + " -> " + value(now);
    };
    print(common, fmt::format("{}: perplexity {} (teacher {:.4f}), KL {}, same top token {}\n",
                              printable(name), each("perplexity"),
                              now.at("reference_perplexity").get<double>(), each("kld"),
                              each("top1_agreement")));
  }
}

void run(Options& o) {
  signal(SIGXFSZ, SIG_IGN);  // a file size limit then is an error of the write, with a sentence
  train::DistillOptions& d = o.distill;
  d.loss.divergence = train::parse_divergence(o.loss);
  d.train.optimizer.kind = train::parse_optimizer(o.optimizer);
  d.train.part = train::parse_part(o.part);
  if (o.precision != "fp32" && o.precision != "bf16")
    usage_error("--precision must be fp32 or bf16; got {}", printable(o.precision));
  d.train.optimizer.bf16 = o.precision == "bf16";
  d.train.seed = d.data.seed;
  d.tool_version = FARTHING_VERSION;
  for (const std::string& text : o.texts) d.data.sources.push_back(calibrate::parse_source(text));
  give_back_freed_memory();
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  if (!o.common.quiet) {
    const auto peaks = bench::measure_peaks(*runtime);
    d.train.peak_gflops = bench::peak_of(peaks, ActivationMode::kF32).gop_s();
  }
  const Json before = held_out_quality(*runtime, o, o.student, *progress);
  const train::DistillReport r =
      train::distill(*runtime, o.teacher, o.student, o.out, d, *progress);
  print_report(o, r);
  const Json after = held_out_quality(*runtime, o, o.out, *progress);
  print_quality(o.common, before, after);
  const Json result{{"schema", 1},
                    {"steps", r.train.steps},
                    {"first_step", r.train.first_step},
                    {"samples", r.samples},
                    {"text_tokens", r.rows},
                    {"text_sha256", r.data_sha256},
                    {"parameters", r.parameters},
                    {"trained", r.train.trained},
                    {"tokens", r.train.tokens},
                    {"seconds", r.train.seconds},
                    {"gflop_s", r.train.gflops},
                    {"peak_gflop_s", d.train.peak_gflops},
                    {"memory_bytes", r.memory_bytes},
                    {"first", loss_json(r.train.first)},
                    {"last", loss_json(r.train.last)},
                    {"before", before},
                    {"after", after}};
  write_json(o.common, result);
  if (!after.is_null()) keep_beside(o.out, "farthing.distill.json", result, *progress);
}

void add_text_options(VerbOptions& verb, Options& o) {
  verb.add_option("--text", o.texts,
                  "Text to learn from, as calibrate takes it, with a weight as in chat.jsonl=0.5; "
                  "may be given several times (default: builtin)");
  verb.add_option("--samples", o.distill.data.samples,
                  "Samples to draw from the text (default: as many as the steps need, once each)");
  verb.add_option("--length", o.distill.data.length, "Tokens a sample")->show_default();
  verb.add_option("--seed", o.distill.data.seed, "Seed of text, order and new weights")
      ->show_default();
  verb.add_option("--eval-text", o.held_out.texts,
                  "Text held out: measure the student against its teacher on it before and after, "
                  "and keep that for the report; may be given several times");
  verb.add_option("--windows", o.held_out.windows,
                  "At most so many windows of --length tokens of each held-out text (0: all)")
      ->show_default()
      ->not_negative();
}

void add_loss_options(VerbOptions& verb, Options& o) {
  train::LossOptions& l = o.distill.loss;
  verb.add_option("--loss", o.loss,
                  "Divergence from the teacher: forward, reverse, jsd, skew-forward, skew-reverse")
      ->show_default();
  verb.add_option("--mix", l.mix, "Of jsd (default 0.5) and the skewed (default 0.1)");
  verb.add_option("--temperature", l.temperature, "Of both distributions")->show_default();
  verb.add_option("--labels", l.labels,
                  "Share of the cross entropy to the text itself; 1: no teacher is asked")
      ->show_default();
  verb.add_option("--hidden", o.distill.hidden, "Weight of the distance of hidden states")
      ->show_default();
  train::OnPolicyOptions& p = o.distill.on_policy;
  verb.add_option("--on-policy", p.share,
                  "Share of the samples whose rest the student says itself, for its teacher to "
                  "judge")
      ->show_default();
  verb.add_option("--sample-temperature", p.temperature, "Of what the student says then")
      ->show_default();
  verb.add_option("--prompt", p.prompt,
                  "Tokens of such a sample that it continues (default: a quarter of it)");
  verb.add_option("--cache", o.distill.cache,
                  "Keep the teacher's best tokens in this file, and learn from it");
  verb.add_option("--best", o.distill.best, "Tokens a position in the cache")->show_default();
}

void add_training_options(VerbOptions& verb, Options& o) {
  train::TrainOptions& t = o.distill.train;
  verb.add_option("--steps", t.steps, "Steps")->show_default();
  verb.add_option("--batch", o.distill.batch, "Samples a step")->show_default();
  verb.add_option(
          "--train", o.part,
          "What trains: all, norms (biases too), adapters (low rank, merged), or scales (of a "
          "rounded student, and its norms)")
      ->show_default();
  verb.add_option("--rank", o.distill.rank, "Of adapters")->show_default();
  verb.add_option("--optimizer", o.optimizer, "adamw or sign")->show_default();
  verb.add_option("--lr", t.learning_rate, "Learning rate at its height")->show_default();
  verb.add_option("--warmup", t.warmup, "Steps up to it")->show_default();
  verb.add_option("--last-rate", t.last_rate, "Share of it at the end of the cosine")
      ->show_default();
  verb.add_option("--weight-decay", t.optimizer.weight_decay, "Of matrices")->show_default();
  verb.add_option("--clip", t.optimizer.clip, "Longest gradient; 0: any")->show_default();
  verb.add_option("--precision", o.precision,
                  "Of the weights while they train: fp32, or bf16 with fp32 masters")
      ->show_default();
  verb.add_option("--save-every", t.save_every, "Steps between checkpoints")->show_default();
  verb.add_option("--memory-limit", o.distill.memory_limit,
                  "Memory to stay within, as in 8GB (default: what this process may use)")
      ->bytes();
}

}  // namespace

void add_distill(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  o->distill.data.samples = 0;
  o->distill.data.length = 256;
  verb.add_option("TEACHER", o->teacher, "Model to learn from")->required();
  verb.add_option(
          "STUDENT", o->student,
          "Checkpoint to train, or a config.json of the teacher's architecture: new weights")
      ->required();
  verb.add_option("OUT", o->out, "Directory for the trained checkpoint")->required();
  add_text_options(verb, *o);
  add_loss_options(verb, *o);
  add_training_options(verb, *o);
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
