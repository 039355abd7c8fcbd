// The part of the page about what training brought.
#include "report/gains.h"
#include "report/html.h"
#include "report/lookup.h"
#include "report/numbers.h"

namespace farthing::report {
namespace {

std::string shown(std::optional<double> n) { return n ? short_number(*n) : ""; }
std::string shown_percent(std::optional<double> n, int digits = 1) {
  return n ? percent(*n, digits) : "";
}

// "800 steps of 1 024 tokens, all weights, by the forward divergence from the model with hash ..."
std::string how(const Json& training) {
  const auto steps = number(training, {"steps"}), tokens = number(training, {"tokens_a_step"});
  if (!steps || !tokens) return "";
  const std::string loss = text(training, {"loss"}), trained = text(training, {"trained"});
  std::string out = fmt::format("<p>{} steps of {} tokens; trained: <b>{}</b>; ", grouped(*steps),
                                grouped(*tokens), escape(trained, 40));
  if (loss == "labels")
    out += "on the text alone";
  else
    out += fmt::format("by the {} divergence from the model with hash <code>{}</code>",
                       escape(loss, 40), escape(text(training, {"teacher_sha256"}), 64));
  if (const auto labels = number(training, {"labels"}); labels && *labels > 0 && loss != "labels")
    out += fmt::format(", {} of the loss from the text itself", percent(*labels, 0));
  return out +
         fmt::format("; text <code>{}</code>.</p>\n", escape(text(training, {"text_sha256"}), 64));
}

}  // namespace

std::vector<Gain> gains_of(const Report& report) {
  std::vector<Gain> gains;
  for (const auto& [name, after] : map(report.distill, {"after"}).items()) {
    const auto pair = [&](Path path) {
      const Json* before = at(report.distill, {"before", name});
      return Gain::Pair{before != nullptr ? number(*before, path) : std::nullopt,
                        number(after, path)};
    };
    Gain gain{.text = name,
              .perplexity = pair({"perplexity"}),
              .kld = pair({"kld", "mean"}),
              .top1_agreement = pair({"top1_agreement"}),
              .teacher = number(after, {"reference_perplexity"}),
              .closed = {}};
    const auto [before, now] = gain.perplexity;
    if (before && now && gain.teacher && *before > *gain.teacher)
      gain.closed = (*before - *now) / (*before - *gain.teacher);
    gains.push_back(std::move(gain));
  }
  return gains;
}

std::string training_section(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const Gain& g : gains_of(report))
    rows.push_back({escape(g.text, 80), shown(g.teacher), shown(g.perplexity.before),
                    shown(g.perplexity.after), shown_percent(g.closed, 0), shown(g.kld.before),
                    shown(g.kld.after), shown_percent(g.top1_agreement.before),
                    shown_percent(g.top1_agreement.after)});
  const std::string made = how(report.training);
  if (rows.empty())
    return made.empty() ? ""
                        : made +
                              "<p class=\"hint\">Quality before and after was not measured: "
                              "give distill a text with --eval-text.</p>\n";
  return made + table({{"Text"},
                       {"Perplexity: teacher", true},
                       {"before", true},
                       {"after", true},
                       {"Gap closed", true},
                       {"KL before", true},
                       {"after", true},
                       {"Same first choice before", true},
                       {"after", true}},
                      rows);
}

}  // namespace farthing::report
