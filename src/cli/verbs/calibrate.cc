// farthing calibrate MODEL: checks and chooses calibration data.
#include <fmt/core.h>

#include "calibrate/doctor.h"
#include "calibrate/select.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "evaluate/text_windows.h"
#include "io/durable_file.h"
#include "model/tensor_map.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  std::vector<std::string> texts;
  calibrate::DataRequest request;
  std::string eval_text, out;
  std::int64_t select = 0, length = 0;
  bool check = false;
};

void print_report(const Common& common, const calibrate::CalibrationData& data,
                  const calibrate::DataReport& r) {
  print(common, fmt::format("{} samples, {} tokens ({} to {} each, half at most {}), sha256 {}\n",
                            r.samples, r.tokens, r.shortest, r.longest, r.median, data.sha256));
  print(common, fmt::format("{} different tokens, {:.1f} % of the tokenizer's {}; {:.1f} % of the "
                            "text repeats, {:.1f} % is parts of characters, {:.1f} % unknown\n",
                            r.distinct,
                            100.0 * static_cast<double>(r.distinct) /
                                static_cast<double>(std::max<std::int64_t>(r.vocabulary, 1)),
                            r.vocabulary, 100 * r.repeated, 100 * r.fragments, 100 * r.unknown));
  if (r.overlap)
    print(common, fmt::format("evaluation text: {:.2f} % of its runs of 13 tokens occur in the "
                              "data, {:.1f} % of its tokens are among the data's\n",
                              100 * *r.overlap, 100 * *r.known_text));
  for (const calibrate::Finding& finding : r.findings)
    print(common, fmt::format("{}: {}\n", level_name(finding.level), finding.sentence));
  if (r.worst() <= calibrate::Level::kNote) print(common, "nothing speaks against this data\n");
}

Json report_json(const calibrate::CalibrationData& data, const calibrate::DataReport& r) {
  Json findings = Json::array();
  for (const calibrate::Finding& finding : r.findings)
    findings.push_back({{"level", level_name(finding.level)},
                        {"topic", finding.topic},
                        {"sentence", finding.sentence}});
  return {{"schema", 1},
          {"samples", r.samples},
          {"tokens", r.tokens},
          {"sha256", data.sha256},
          {"lengths", {{"shortest", r.shortest}, {"median", r.median}, {"longest", r.longest}}},
          {"vocabulary", r.vocabulary},
          {"distinct", r.distinct},
          {"repeated", r.repeated},
          {"fragments", r.fragments},
          {"unknown", r.unknown},
          {"overlap", r.overlap ? Json(*r.overlap) : Json()},
          {"known_text", r.known_text ? Json(*r.known_text) : Json()},
          {"verdict", level_name(r.worst())},
          {"notes", data.notes},
          {"findings", std::move(findings)}};
}

// Keeps the --select samples of the candidates that stand for all of them.
Json choose(const Options& o, Runtime& runtime, Progress& progress,
            calibrate::CalibrationData& data) {
  const LoadedModel loaded = load_model(runtime, o.model);
  const std::vector<float> states =
      calibrate::hidden_states(runtime, *loaded.model, data.samples, progress);
  const calibrate::Selection selection =
      calibrate::select_samples(data.samples, states, static_cast<std::size_t>(o.select));
  const std::size_t candidates = data.samples.size();
  std::vector<calibrate::Sample> chosen;
  for (const std::size_t i : selection.chosen) chosen.push_back(std::move(data.samples[i]));
  data.samples = std::move(chosen);
  data.sha256 = calibrate::hash_of(data.samples);
  print(
      o.common,
      fmt::format("chose {} of {} samples: {:.1f} % of their token coverage, {:.1f} % of the "
                  "volume of their hidden states\n",
                  data.samples.size(), candidates, 100 * selection.tokens, 100 * selection.states));
  return {{"candidates", candidates},
          {"chosen", data.samples.size()},
          {"token_coverage", selection.tokens},
          {"state_volume", selection.states}};
}

void write_samples(const std::string& path, const text::Tokenizer& tokenizer,
                   const calibrate::CalibrationData& data) {
  std::string lines;
  for (const calibrate::Sample& sample : data.samples) {
    const Json line = {{"ids", sample.tokens}, {"text", tokenizer.decode(sample.tokens, false)}};
    lines += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  io::write_durably(path, lines);
}

void run(const Options& o) {
  if (o.select < 0) usage_error("--select must be at least 1; got {}", o.select);
  if (!o.out.empty() && o.select == 0)
    usage_error("--out goes with --select N: it takes the samples");
  calibrate::DataRequest request = o.request;
  for (const std::string& text : o.texts) request.sources.push_back(calibrate::parse_source(text));
  if (o.select > 0) {
    if (request.samples < o.select)
      usage_error("--select {} needs at least as many --samples to choose from; got {}", o.select,
                  request.samples);
    request.as_many_as_there_are = true;
  }
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto checkpoint = io::Checkpoint::open(o.model.model);
  const auto tokenizer = text::Tokenizer::load(*checkpoint);
  if (!tokenizer)
    bad_input("{}: has no tokenizer, so text cannot calibrate it", printable(o.model.model, 400));
  const model::ModelConfig config =
      model::config_of(model::find_architecture(checkpoint->config()), *checkpoint);
  if (o.length != 0) request.length = o.length;
  if (o.length == 0 && config.max_positions > 0)
    request.length = std::min(request.length, config.max_positions);
  calibrate::CalibrationData data = calibrate::load_data(*tokenizer, *checkpoint, request);
  for (const std::string& note : data.notes) progress->note("note: " + note);
  Json selection;
  if (o.select > 0) selection = choose(o, *runtime, *progress, data);
  const std::string eval =
      o.eval_text.empty() ? std::string() : evaluate::read_eval_text(o.eval_text);
  const calibrate::DataReport report = calibrate::examine(*tokenizer, data, config, eval);
  if (!o.out.empty()) write_samples(o.out, *tokenizer, data);
  print_report(o.common, data, report);
  Json result = report_json(data, report);
  if (!selection.is_null()) result["selection"] = std::move(selection);
  write_json(o.common, result);
  calibrate::refuse_unfit(report);
}

}  // namespace

void add_calibrate(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--text", o->texts,
                  "Text file, JSON lines ({\"text\"} or {\"messages\"}) or builtin, with a weight "
                  "as in chat.jsonl=0.5; may be given several times (default: builtin)");
  verb.add_option("--samples", o->request.samples, "Samples to draw; with --select, candidates")
      ->show_default();
  verb.add_option("--length", o->length,
                  "Tokens a sample (default: 512, or the model's positions where these are fewer)");
  verb.add_option("--seed", o->request.seed, "Seed of the drawing")->show_default();
  verb.add_flag("--check", o->check,
                "Only examine the data (what happens without --select anyway)");
  verb.add_option("--eval-text", o->eval_text,
                  "The text that the model will be evaluated on: finds overlap");
  verb.add_option("--select", o->select,
                  "Choose N of the samples that stand for all: by tokens and by hidden states");
  verb.add_option("--out", o->out,
                  "File for the chosen samples, JSON lines that --text reads again");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
