// A model card: what a reader of a hub page needs, in plain Markdown.
#include "report/gains.h"
#include "report/lookup.h"
#include "report/numbers.h"
#include "report/report.h"

namespace farthing::report {
namespace {

// Untrusted text in a line of Markdown: no markup of its own, no table bars, no HTML.
std::string plain(std::string_view untrusted, std::size_t limit = 80) {
  std::string out;
  for (const char c : printable(untrusted, limit)) {
    if (std::string_view("\\`*_{}[]<>()#+!|~&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string size_lines(const Json& h) {
  std::string out;
  if (const auto bytes = number(h, {"weights_bytes"})) {
    out += fmt::format("- Size: {}", bytes_text(*bytes));
    if (const auto bits = number(h, {"bits_per_weight"}))
      out += fmt::format(" ({} bits a weight, {} of BF16)", short_number(*bits),
                         percent(*number(h, {"of_bf16"}), 0));
    out += "\n";
  }
  if (const auto speed = number(h, {"decode", "tokens_per_s_median"})) {
    out += fmt::format("- Speed: {} tokens/s decode", short_number(*speed));
    if (const auto share = number(h, {"decode", "share_of_roof"}))
      out += fmt::format(" ({} of the measured roof)", percent(*share, 0));
    out += "\n";
  }
  return out;
}

std::string texts_table(const Json& eval) {
  std::string out;
  for (const auto& [name, t] : map(eval, {"texts"}).items()) {
    const auto kld = number(t, {"kld", "mean"}), error = number(t, {"kld", "stderr"}),
               top = number(t, {"top1_agreement"});
    out += fmt::format(
        "| {} | {} | {} | {} | {} |\n", plain(name),
        short_number(number(t, {"perplexity"}).value_or(0)),
        number(t, {"reference_perplexity"}) ? short_number(*number(t, {"reference_perplexity"}))
                                            : "",
        kld ? fmt::format("{} ± {}", short_number(*kld), short_number(error.value_or(0))) : "",
        top ? percent(*top) : "");
  }
  if (out.empty()) return "";
  return "\n## Divergence from the original\n\n| text | perplexity | original | KL (nats) | same "
         "first "
         "choice |\n|---|---|---|---|---|\n" +
         out;
}

std::string training_table(const Report& r) {
  std::string out;
  for (const Gain& g : gains_of(r)) {
    const auto pair = [](std::optional<double> before, std::optional<double> after) {
      return (before ? short_number(*before) + " → " : "") + (after ? short_number(*after) : "");
    };
    out += fmt::format("| {} | {} | {} | {} | {} |\n", plain(g.text),
                       pair(g.perplexity.before, g.perplexity.after),
                       g.teacher ? short_number(*g.teacher) : "", pair(g.kld.before, g.kld.after),
                       g.closed ? percent(*g.closed, 0) : "");
  }
  if (out.empty()) return "";
  return "\n## Before and after training\n\n| text | perplexity | teacher | KL (nats) | gap in "
         "perplexity closed |\n|---|---|---|---|---|\n" +
         out;
}

std::string tasks_table(const Json& eval) {
  std::string out;
  for (const auto& [name, t] : map(eval, {"tasks"}).items()) {
    const std::string metric = text(t, {"metric"});
    const auto value = number(t, {metric}), error = number(t, {metric + "_stderr"}),
               before = number(eval, {"flips", name, "reference_metrics", metric}),
               flips = number(eval, {"flips", name, "flips"}),
               p = number(eval, {"flips", name, "mcnemar_p"});
    if (!value) continue;
    out += fmt::format("| {} | {} | {} ± {} | {} | {} | {} |\n", plain(name), plain(metric, 20),
                       percent(*value), percent(error.value_or(0)), before ? percent(*before) : "",
                       flips ? percent(*flips) : "", p ? short_number(*p) : "");
  }
  if (out.empty()) return "";
  return "\n## Tasks\n\n| task | metric | value | original | flips | McNemar p "
         "|\n|---|---|---|---|---|---|\n" +
         out;
}

}  // namespace

std::string markdown(const Report& r) {
  const Json h = headline(r);
  std::string out = "# " + plain(r.name) + "\n\n" + size_lines(h);
  if (const auto kld = number(h, {"kld"}))
    out += fmt::format("- KL divergence from the original: {} nats on {}\n", short_number(*kld),
                       plain(text(h, {"text"})));
  if (const auto top = number(h, {"top1_agreement"}))
    out += fmt::format("- Same first choice as the original: {}\n", percent(*top));
  if (const auto ratio = number(h, {"perplexity_ratio"}))
    out += fmt::format("- Perplexity against the original: {:+.2f} %\n", 100 * (*ratio - 1));
  out += texts_table(r.eval) + training_table(r) + tasks_table(r.eval);
  const std::string recipe = text(r.artefact, {"recipe"});
  if (!recipe.empty()) {
    out += "\n## Recipe\n\n";
    for (const std::string& line : split(recipe, '\n'))
      if (!line.empty()) out += "    " + printable(line, 400) + "\n";
    out += fmt::format("\nOriginal: SHA-256 `{}`, seed {:.0f}, Farthing {}\n",
                       printable(text(r.artefact, {"source_sha256"}), 64),
                       number(r.artefact, {"seed"}).value_or(0),
                       plain(text(r.artefact, {"tool_version"}), 30));
  }
  return out;
}

}  // namespace farthing::report
