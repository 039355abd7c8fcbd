#include "evaluate/results_json.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/text.h"
#include "text/jinja_unicode.h"

namespace farthing::evaluate {
namespace {

constexpr std::size_t kContextBytes = 700;  // of a context that is shown
constexpr std::size_t kContextTokens = 40;
constexpr std::size_t kDivergences = 12;  // of generations that are shown

Json pair(Interval i) { return {i.low, i.high}; }

// The end of a text, whole characters only.
std::string tail(std::string_view text) {
  if (text.size() <= kContextBytes) return std::string(text);
  text.remove_prefix(text.size() - kContextBytes);
  while (!text.empty() && text::jinja::continues(text.front())) text.remove_prefix(1);
  return "..." + std::string(text);
}

void add_settings(Json& j, const Settings& settings) {
  j["isa"] = settings.isa;
  j["activations"] = settings.activations;
  j["kv"] = settings.kv;
  if (!settings.reference.empty()) j["reference"] = settings.reference;
}

std::string one(const text::Tokenizer& tokenizer, Token token) {
  return tokenizer.decode({&token, 1}, false);
}

Json worst_json(const EvalText& text, const std::vector<TextResult::Difference>& worst,
                const text::Tokenizer& tokenizer) {
  Json list = Json::array();
  for (const auto& d : worst) {
    const auto& window = text.windows[static_cast<std::size_t>(d.window)];
    const auto end = static_cast<std::size_t>(d.position);
    const std::size_t begin = end - std::min(end, kContextTokens);
    list.push_back({{"window", d.window},
                    {"position", d.position},
                    {"context", tokenizer.decode(std::span(window).subspan(begin, end - begin))},
                    {"truth", one(tokenizer, d.truth)},
                    {"reference_top", one(tokenizer, d.reference_top)},
                    {"top", one(tokenizer, d.top)},
                    {"kld", d.kld},
                    {"reference_probability", d.reference_probability},
                    {"probability", d.probability}});
  }
  return list;
}

void add_against(Json& j, const EvalText& text, const TextResult::Against& a,
                 const text::Tokenizer& tokenizer) {
  j["kld"] = {{"mean", a.kld.mean},     {"stderr", a.kld.stderr_of_mean},
              {"median", a.kld.median}, {"p99", a.kld.p99},
              {"p999", a.kld.p999},     {"max", a.kld.max}};
  j["top1_agreement"] = a.top1_agreement;
  j["rms_delta_p"] = a.rms_delta_p;
  j["reference_perplexity"] = a.reference_perplexity;
  j["log_ratio_stderr"] = a.log_ratio_stderr;
  j["ci95"] = {{"kld", pair(a.interval.kld)},
               {"top1_agreement", pair(a.interval.top1_agreement)},
               {"rms_delta_p", pair(a.interval.rms_delta_p)},
               {"perplexity_ratio", pair(a.interval.perplexity_ratio)}};
  j["kld_histogram"] = {{"edges", kld_edges()}, {"counts", a.histogram}};
  j["worst"] = worst_json(text, a.worst, tokenizer);
}

}  // namespace

Json text_json(const EvalText& text, const TextResult& r, const Settings& settings,
               const text::Tokenizer& tokenizer) {
  Json j{
      {"perplexity", r.perplexity},      {"nll", r.nll},
      {"nll_stderr", r.nll_stderr},      {"tokens", r.tokens},
      {"context", text.options.context}, {"convention", convention_name(text.options.convention)},
      {"windows", text.windows.size()},  {"bos", text.has_bos},
      {"text_sha256", text.sha256}};
  add_settings(j, settings);
  if (r.against) add_against(j, text, *r.against, tokenizer);
  j["seconds"] = r.seconds;
  return j;
}

namespace {

// {"abstract_algebra": {"acc", "acc_stderr", "documents"}}, where documents have subjects.
Json subjects_json(const Task& task, const TaskResult& result) {
  std::map<std::string, std::vector<double>> answers;
  for (std::size_t d = 0; d < task.items.size(); ++d)
    if (const std::string& subject = task.items[d].subject; !subject.empty())
      answers[subject].push_back(right(task, result.outcomes[d]) ? 1.0 : 0.0);
  Json rows = Json::object();
  for (const auto& [subject, values] : answers) {
    const Estimate e = mean_of(values);
    rows[subject] = {
        {"acc", e.value}, {"acc_stderr", e.stderr_of_value}, {"documents", values.size()}};
  }
  return rows;
}

}  // namespace

Json task_json(const Task& task, const TaskResult& result, const Settings& settings) {
  Json j{{"form", task.form->name},
         {"metric", task.form->headline},
         {"documents", task.items.size()},
         {"documents_in_file", task.documents},
         {"shots", task.shots},
         {"truncated", result.truncated},
         {"file_sha256", task.sha256}};
  for (const Metric& m : metrics_of(task, result)) {
    j[std::string(m.name)] = m.estimate.value;
    j[std::string(m.name) + "_stderr"] = m.estimate.stderr_of_value;
  }
  if (Json subjects = subjects_json(task, result); !subjects.empty())
    j["subjects"] = std::move(subjects);
  add_settings(j, settings);
  j["seconds"] = result.seconds;
  return j;
}

Json flips_json(const Task& task, const Flips& flips, const TaskResult& reference,
                const Settings& settings) {
  const auto n = static_cast<double>(task.items.size());
  Json j{{"reference", settings.reference},
         {"metric", task.form->headline},
         {"documents", task.items.size()},
         {"both_right", flips.both_right},
         {"both_wrong", flips.both_wrong},
         {"lost", flips.lost},
         {"gained", flips.gained},
         {"other_wrong_choice", flips.other_wrong_choice},
         {"flips", static_cast<double>(flips.lost + flips.gained) / n},
         {"mcnemar_p", flips.mcnemar_p},
         {"change", flips.change.value},
         {"change_stderr", flips.change.stderr_of_value},
         {"change_ci95", pair(interval_of(flips.change))}};
  for (const Metric& m : metrics_of(task, reference))
    j["reference_metrics"][std::string(m.name)] = m.estimate.value;
  j["worst"] = Json::array();
  for (const Flips::Example& e : flips.worst) {
    const Item& item = task.items[e.document];
    Json example{{"document", e.document},
                 {"context", tail(item.context(item.gold))},
                 {"choices", item.choices},
                 {"right", item.gold}};
    if (item.choices.size() > 1) example["picked"] = e.picked;
    example["shift"] = e.shift;
    j["worst"].push_back(std::move(example));
  }
  return j;
}

Json generation_json(const GenerationResult& result, std::int64_t max_tokens,
                     const Settings& settings, const text::Tokenizer& tokenizer) {
  std::vector<std::size_t> order, firsts;
  for (std::size_t i = 0; i < result.answers.size(); ++i)
    if (!result.answers[i].exact()) {
      order.push_back(i);
      firsts.push_back(result.answers[i].agreed);
    }
  std::ranges::sort(firsts);
  std::ranges::sort(order, {},
                    [&](std::size_t i) { return std::pair(result.answers[i].agreed, i); });
  if (order.size() > kDivergences) order.resize(kDivergences);
  Json j{{"reference", settings.reference},
         {"prompts", result.answers.size()},
         {"max_tokens", max_tokens},
         {"exact_match", result.exact_match.value},
         {"exact_match_stderr", result.exact_match.stderr_of_value},
         {"agreed_share", result.agreed_share.value},
         {"agreed_share_stderr", result.agreed_share.stderr_of_value},
         {"diverged", firsts.size()},
         {"median_first_divergence", firsts.empty() ? Json() : Json(firsts[firsts.size() / 2])},
         {"earliest", Json::array()},
         {"seconds", result.seconds}};
  for (const std::size_t i : order) {
    const auto& a = result.answers[i];
    j["earliest"].push_back(
        {{"prompt", i},
         {"context", tail(tokenizer.decode(a.prompt))},
         {"agreed_tokens", a.agreed},
         {"agreed", tokenizer.decode(std::span(a.reference).first(a.agreed))},
         {"reference", tokenizer.decode(std::span(a.reference).subspan(a.agreed), false)},
         {"instead", one(tokenizer, a.instead)}});
  }
  return j;
}

Json lm_eval_json(const std::vector<TaskRun>& runs, const std::string& model, std::int64_t limit) {
  Json j{{"results", Json::object()},  {"group_subtasks", Json::object()},
         {"configs", Json::object()},  {"versions", Json::object()},
         {"n-shot", Json::object()},   {"higher_is_better", Json::object()},
         {"n-samples", Json::object()}};
  for (const auto& [task, result] : runs) {
    Json& row = j["results"][task.name];
    row["alias"] = task.name;
    Json better;
    for (const Metric& m : metrics_of(task, result)) {
      row[std::string(m.name) + ",none"] = m.estimate.value;
      row[std::string(m.name) + "_stderr,none"] = m.estimate.stderr_of_value;
      better[std::string(m.name)] = m.higher_is_better;
    }
    row["sample_len"] = task.items.size();
    j["group_subtasks"][task.name] = Json::array();
    j["configs"][task.name] = {
        {"task", task.name},
        {"output_type",
         task.items.front().continuations.size() > 1 ? "multiple_choice" : "loglikelihood"},
        {"num_fewshot", task.shots},
        {"metadata", {{"version", task.form->version}, {"form", task.form->name}}}};
    j["versions"][task.name] = task.form->version;
    j["n-shot"][task.name] = task.shots;
    j["higher_is_better"][task.name] = std::move(better);
    j["n-samples"][task.name] = {{"original", task.documents}, {"effective", task.items.size()}};
  }
  j["config"] = {{"model", "farthing"},
                 {"model_args", "pretrained=" + model},
                 {"limit", limit > 0 ? Json(limit) : Json()},
                 {"bootstrap_iters", 0}};
  j["model_source"] = "farthing";
  j["model_name"] = model;
  return j;
}

}  // namespace farthing::evaluate
