// The parts of the page about quality.
#include <algorithm>

#include "report/html.h"
#include "report/lookup.h"
#include "report/numbers.h"

namespace farthing::report {
namespace {

std::string shown(std::optional<double> n) { return n ? short_number(*n) : ""; }
std::string shown_percent(std::optional<double> n, int digits = 1) {
  return n ? percent(*n, digits) : "";
}

std::string with_interval(const Json& measured, std::string_view key, std::optional<double> value,
                          double factor, std::string_view unit) {
  if (!value) return "";
  std::string out = short_number(factor * *value) + std::string(unit);
  const Json& i = list(measured, {"ci95", key});
  if (i.size() == 2 && i[0].is_number() && i[1].is_number())
    out += fmt::format(" <small>{} to {}</small>", short_number(factor * i[0].get<double>()),
                       short_number(factor * i[1].get<double>()));
  return out;
}

std::string texts_table(const Json& eval) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, t] : map(eval, {"texts"}).items())
    rows.push_back(
        {escape(name, 80), shown(number(t, {"perplexity"})),
         shown(number(t, {"reference_perplexity"})),
         with_interval(t, "kld", number(t, {"kld", "mean"}), 1, ""),
         shown(number(t, {"kld", "median"})), shown(number(t, {"kld", "p99"})),
         with_interval(t, "top1_agreement", number(t, {"top1_agreement"}), 100, " %"),
         with_interval(t, "rms_delta_p", number(t, {"rms_delta_p"}), 100, " %"),
         fmt::format("{} x {}, {}", number(t, {"windows"}).value_or(0),
                     number(t, {"context"}).value_or(0), escape(text(t, {"convention"}), 20))});
  return table({{"Text"},
                {"Perplexity", true},
                {"Original", true},
                {"KL, 95 %", true},
                {"Median", true},
                {"99 %", true},
                {"Same first choice", true},
                {"RMS change of p", true},
                {"Windows"}},
               rows);
}

// A token between two marks, with its spaces visible.
std::string token(const Json& json, std::string_view key) {
  return "<code>" + escape(text(json, {key}), 60) + "</code>";
}

std::string worst_positions(const Json& eval) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, t] : map(eval, {"texts"}).items())
    for (const Json& w : list(t, {"worst"}))
      rows.push_back(
          {"<q>" + escape(text(w, {"context"}), 400) + "</q>", token(w, "truth"),
           token(w, "reference_top"), token(w, "top"), shown(number(w, {"kld"})),
           fmt::format("{} &rarr; {}", shown_percent(number(w, {"reference_probability"})),
                       shown_percent(number(w, {"probability"})))});
  if (rows.empty()) return "";
  return "<details><summary>Where the two differ most</summary>" +
         table({{"After"},
                {"Text says"},
                {"Original says"},
                {"This says"},
                {"KL", true},
                {"p of the text's word", true}},
               rows) +
         "</details>\n";
}

}  // namespace

std::string divergence_section(const Report& report) {
  if (map(report.eval, {"texts"}).empty()) return "";
  std::string out = texts_table(report.eval);
  for (const auto& [name, t] : map(report.eval, {"texts"}).items())
    if (!list(t, {"kld_histogram", "counts"}).empty()) {
      out += chart("kld", "Share of positions by KL divergence") +
             "<p class=\"hint\">Share of positions by their KL divergence from the original, "
             "in nats (logarithmic). Left is better.</p>\n";
      break;
    }
  return out + worst_positions(report.eval);
}

std::string tasks_section(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, t] : map(report.eval, {"tasks"}).items()) {
    const std::string metric = text(t, {"metric"});
    for (const char* m : {"acc", "acc_norm", "perplexity"}) {
      const auto value = number(t, {m});
      if (!value) continue;
      const bool share = std::string_view(m) != "perplexity";
      const auto error = number(t, {std::string(m) + "_stderr"});
      const auto before = number(report.eval, {"flips", name, "reference_metrics", m});
      const std::string number_text = share ? percent(*value) : short_number(*value);
      rows.push_back({escape(name, 80), escape(text(t, {"form"}), 20),
                      metric == m ? "<b>" + std::string(m) + "</b>" : m,
                      share ? bar(*value, number_text) : number_text,
                      error ? "&plusmn; " + (share ? percent(*error) : short_number(*error)) : "",
                      before ? (share ? percent(*before) : short_number(*before)) : "",
                      grouped(number(t, {"documents"}).value_or(0)),
                      fmt::format("{}", number(t, {"shots"}).value_or(0))});
    }
  }
  if (rows.empty()) return "";
  return table({{"Task"},
                {"Form"},
                {"Metric"},
                {"Value", true},
                {"Error", true},
                {"Original", true},
                {"Documents", true},
                {"Shots", true}},
               rows) +
         "<p class=\"hint\">Prompts and scoring as in lm-evaluation-harness 0.4; bold is the "
         "metric "
         "that flips go by.</p>\n";
}

namespace {

std::string choices_of(const Json& example) {
  const auto right = number(example, {"right"}), picked = number(example, {"picked"});
  std::string out = "<ol start=\"0\">";
  double i = 0;
  for (const Json& choice : list(example, {"choices"})) {
    const bool is_right = right && *right == i, is_picked = picked && *picked == i;
    out +=
        fmt::format("<li class=\"{}\">{}{}</li>", is_right ? "right" : (is_picked ? "wrong" : ""),
                    escape(choice.is_string() ? choice.get<std::string>() : "", 300),
                    is_right ? " <small>right, the original's</small>"
                             : (is_picked ? " <small>now</small>" : ""));
    i += 1;
  }
  return out + "</ol>";
}

}  // namespace

std::string flips_section(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  std::string examples;
  for (const auto& [name, f] : map(report.eval, {"flips"}).items()) {
    const auto change = number(f, {"change"}), error = number(f, {"change_stderr"});
    rows.push_back(
        {escape(name, 80), grouped(number(f, {"documents"}).value_or(0)),
         grouped(number(f, {"lost"}).value_or(0)), grouped(number(f, {"gained"}).value_or(0)),
         grouped(number(f, {"other_wrong_choice"}).value_or(0)),
         shown_percent(number(f, {"flips"})),
         change ? fmt::format("{:+.2f} % &plusmn; {:.2f} %", 100 * *change, 100 * error.value_or(0))
                : "",
         shown(number(f, {"mcnemar_p"}))});
    for (const Json& e : list(f, {"worst"}))
      examples += fmt::format(
          "<article><h4>{}, document {} <small>moved by {} nats</small></h4><blockquote>{}"
          "</blockquote>{}</article>\n",
          escape(name, 80), number(e, {"document"}).value_or(0), shown(number(e, {"shift"})),
          escape(text(e, {"context"}), 1200), choices_of(e));
  }
  if (rows.empty()) return "";
  return table({{"Task"},
                {"Documents", true},
                {"Lost", true},
                {"Gained", true},
                {"Another wrong choice", true},
                {"Flips", true},
                {"Change", true},
                {"McNemar p", true}},
               rows) +
         (examples.empty()
              ? ""
              : "<details><summary>The worst of the lost</summary>" + examples + "</details>\n");
}

std::string answers_section(const Report& report) {
  std::string out, examples;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, g] : map(report.eval, {"generation"}).items()) {
    rows.push_back({escape(name, 80), grouped(number(g, {"prompts"}).value_or(0)),
                    shown_percent(number(g, {"exact_match"})),
                    shown_percent(number(g, {"agreed_share"})),
                    shown(number(g, {"median_first_divergence"}))});
    for (const Json& e : list(g, {"earliest"}))
      examples += fmt::format(
          "<article><blockquote>{}<mark>{}</mark></blockquote><p>original: <code>{}</code></p>"
          "<p>this: <code>{}</code> ...</p></article>\n",
          escape(text(e, {"context"}), 700), escape(text(e, {"agreed"}), 700),
          escape(text(e, {"reference"}), 300), escape(text(e, {"instead"}), 60));
  }
  if (rows.empty()) return "";
  return table({{"Prompts"},
                {"Count", true},
                {"Same to the end", true},
                {"Tokens before the first difference", true},
                {"Median first difference", true}},
               rows) +
         (examples.empty()
              ? ""
              : "<details><summary>The earliest differences</summary>" + examples + "</details>\n");
}

std::string contract_section(const Report& report) {
  const Json& floor = map(report.artefact, {"contract", "floor"});
  if (floor.empty() && report.verify.is_null()) return "";
  std::string out;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, limit] : floor.items())
    rows.push_back({escape(name, 60), limit.is_number() ? short_number(limit.get<double>()) : ""});
  if (!rows.empty())
    out += table({{"Floor"}, {"Limit", true}}, rows) +
           fmt::format("<p>Proven on <b>{}</b> against the model with hash <code>{}</code>.</p>\n",
                       escape(text(report.artefact, {"contract", "text", "name"}), 80),
                       escape(text(report.artefact, {"contract", "reference_sha256"}), 64));
  rows.clear();
  for (const Json& check : list(report.verify, {"checks"})) {
    const Json* holds = at(check, {"holds"});
    rows.push_back({escape(text(check, {"name"}), 60), shown(number(check, {"value"})),
                    shown(number(check, {"worst"})), shown(number(check, {"limit"})),
                    holds != nullptr && *holds == Json(true) ? "holds" : "<b>does not hold</b>"});
  }
  if (!rows.empty())
    out +=
        table({{"Verified"}, {"Value", true}, {"End of the interval", true}, {"Limit", true}, {""}},
              rows);
  return out;
}

}  // namespace farthing::report
