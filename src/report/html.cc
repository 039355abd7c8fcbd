#include "report/html.h"

#include <algorithm>

#include "core/sha256.h"
#include "report/lookup.h"
#include "report/numbers.h"
#include "report/page_parts.h"
#include "text/unicode.h"

namespace farthing::report {
namespace {

constexpr Section kSections[] = {
    {"pareto", "Quality against cost", pareto_section},
    {"layers", "Precision of each layer", layers_section},
    {"divergence", "Divergence from the original", divergence_section},
    {"training", "Before and after training", training_section},
    {"tasks", "Tasks", tasks_section},
    {"flips", "Answers that changed", flips_section},
    {"answers", "Generated text", answers_section},
    {"speed", "Speed", speed_section},
    {"memory", "Memory", memory_section},
    {"contract", "Promise", contract_section},
    {"calibration", "Calibration data", calibration_section},
    {"recipe", "How to make it again", recipe_section},
};

std::string_view part(std::string_view file) {
  for (const PagePart& p : page_parts())
    if (p.file == file) return p.text;
  return "";
}

bool turns_direction(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F;
}

void append_escaped(std::string& out, char32_t c) {
  if (c == '&')
    out += "&amp;";
  else if (c == '<')
    out += "&lt;";
  else if (c == '>')
    out += "&gt;";
  else if (c == '"')
    out += "&quot;";
  else if (c == '\'')
    out += "&#39;";
  else if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || turns_direction(c))
    out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
  else
    text::append_utf8(out, c);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j)
      word = word << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63];
  }
  return out;
}

// The page runs its own two scripts and nothing else, and fetches nothing.
std::string script_hash(std::string_view script) {
  std::string raw;
  const std::string hex = sha256_hex(script);
  for (std::size_t i = 0; i < hex.size(); i += 2)
    raw += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "'sha256-" + base64(raw) + "'";
}

// JSON inside of a script element: no "<" can end it.
std::string inert(const Json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', true)) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

std::string tile(std::string_view title, const std::string& value, const std::string& below) {
  return fmt::format(
      "<div class=\"tile\"><div class=\"what\">{}</div><div class=\"value\">{}</div>"
      "<div class=\"below\">{}</div></div>\n",
      title, value, below);
}

std::string between(const Json& h, const std::string& key, double factor, std::string_view unit) {
  const Json& i = list(h, {key});
  if (i.size() != 2) return "";
  return fmt::format("95 %: {} to {}{}", short_number(factor * i[0].get<double>()),
                     short_number(factor * i[1].get<double>()), unit);
}

std::string tiles(const Json& h) {
  std::string out;
  if (const auto bytes = number(h, {"weights_bytes"})) {
    std::string below;
    if (const auto bits = number(h, {"bits_per_weight"}))
      below = fmt::format("{} bits a weight, {} of BF16", short_number(*bits),
                          percent(*number(h, {"of_bf16"}), 0));
    out += tile("Size", bytes_text(*bytes), below);
  }
  if (const auto speed = number(h, {"decode", "tokens_per_s_median"})) {
    std::string below = "decode";
    if (const auto share = number(h, {"decode", "share_of_roof"}))
      below += ", " + percent(*share, 0) + " of the roof";
    if (const auto prefill = number(h, {"prefill", "tokens_per_s_median"}))
      below += "; prefill " + grouped(*prefill) + "/s";
    out += tile("Speed", grouped(*speed) + "<small> tokens/s</small>", below);
  } else if (const auto ms = number(h, {"expected_ms_per_token"})) {
    out += tile("Speed", short_number(*ms) + "<small> ms a token</small>", "measured by tune");
  }
  if (const auto kld = number(h, {"kld"}))
    out += tile("KL from the original", short_number(*kld) + "<small> nats</small>",
                between(h, "kld_ci95", 1, ""));
  if (const auto top = number(h, {"top1_agreement"}))
    out += tile("Same first choice", percent(*top), between(h, "top1_agreement_ci95", 100, " %"));
  if (const auto ratio = number(h, {"perplexity_ratio"}))
    out += tile("Perplexity", fmt::format("{:+.2f} %", 100 * (*ratio - 1)),
                "against the original, " + escape(text(h, {"text"}), 60));
  else if (const auto perplexity = number(h, {"perplexity"}))
    out += tile("Perplexity", short_number(*perplexity), escape(text(h, {"text"}), 60));
  if (const auto flips = number(h, {"flips"}))
    out += tile("Flips", percent(*flips),
                "of " + grouped(*number(h, {"documents"})) + " documents of tasks");
  return out;
}

std::string head(const std::string& title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src {} {}; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{} - Farthing</title>\n<style>{}\n{}</style>\n</head>\n",
      script_hash(part("uPlot.iife.min.js")), script_hash(part("page.js")), title,
      part("uPlot.min.css"), part("page.css"));
}

}  // namespace

std::string escape(std::string_view untrusted, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < untrusted.size();) {
    if (at >= limit) return out + "...";
    const auto [code, length] = text::decode_utf8(untrusted, at);
    append_escaped(out, code);
    at += length;
  }
  return out;
}

std::string table(const std::vector<Column>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const Column& c : columns)
    out += fmt::format("<th{}>{}</th>", c.number ? " class=\"n\"" : "", c.title);
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      out += fmt::format("<td{}>{}</td>", columns[i].number ? " class=\"n\"" : "", row[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string bar(double share, std::string_view label) {
  return fmt::format("<span class=\"bar\" style=\"--w:{:.1f}%\">{}</span>",
                     100 * std::clamp(share, 0.0, 1.0), label);
}

std::string chart(std::string_view name, std::string_view label) {
  return fmt::format(
      "<div class=\"chart\" data-chart=\"{}\" role=\"img\" aria-label=\"{}\"></div>\n", name,
      label);
}

std::string html_page(const Report& report) {
  const Json h = headline(report);
  std::string subtitle, nav, body;
  if (report.facts)
    subtitle =
        fmt::format("{}, {} layers, {} parameters", escape(report.facts->architecture),
                    report.facts->layers, grouped(static_cast<double>(report.facts->parameters)));
  for (const Section& section : kSections) {
    const std::string content = section.body(report);
    if (content.empty()) continue;
    nav += fmt::format("<a href=\"#{}\">{}</a>\n", section.id, section.title);
    body += fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", section.id, section.title,
                        content);
  }
  for (const std::string& note : report.notes)
    body += "<p class=\"note\">" + escape(note) + "</p>\n";
  const std::string name = escape(report.name, 120);
  return head(name) +
         fmt::format(
             "<body>\n<header><div><h1>{}</h1><p class=\"sub\">{}</p></div>"
             "<button id=\"theme\" type=\"button\" title=\"Dark or light\">&#9680;</button>"
             "</header>\n<div class=\"tiles\">\n{}</div>\n<nav>{}</nav>\n<main>\n{}</main>\n"
             "<footer>Made by Farthing {}. Charts by uPlot (MIT):<details><summary>licence"
             "</summary><pre>{}</pre></details></footer>\n",
             name, subtitle, tiles(h), nav, body, FARTHING_VERSION, escape(part("LICENSE"))) +
         fmt::format(
             "<script type=\"application/json\" id=\"data\">{}</script>\n"
             "<script>{}</script>\n<script>{}</script>\n</body>\n</html>\n",
             inert(chart_data(report)), part("uPlot.iife.min.js"), part("page.js"));
}

}  // namespace farthing::report
