#include <fmt/format.h>

#include "compress/recipe.h"

namespace farthing::compress {
namespace {

// Plain where YAML cannot take it for anything else, else in double quotes.
std::string quoted(std::string_view text) {
  static constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
  const bool name = !text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos &&
                    ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  const bool word = text == "true" || text == "false" || text == "null" || text == "yes" ||
                    text == "no" || text == "on" || text == "off";
  if (name && !word) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

// Numbers and flags, which must not be quoted, and 2:4 stay as they are; a plain text may have been
// folded from several lines, and other signs need quotes.
std::string scalar(const Setting& setting) {
  const std::string& text = setting.text;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool number = !text.empty() && is_digit(text.back()) &&
                      text.find_first_not_of("0123456789.:+-eE") == std::string::npos;
  const bool flag = text == "true" || text == "false";
  return (number || flag) && !setting.quoted ? text : quoted(text);
}

std::string flow(const Setting& setting) {
  std::string out;
  switch (setting.kind) {
    case Setting::Kind::kNull:
      return "null";
    case Setting::Kind::kScalar:
      return scalar(setting);
    case Setting::Kind::kList:
      for (const Setting& item : setting.items) out += (out.empty() ? "" : ", ") + flow(item);
      return "[" + out + "]";
    case Setting::Kind::kMap:
      for (const auto& [key, value] : setting.members)
        out += (out.empty() ? "" : ", ") + quoted(key) + ": " + flow(value);
      return "{" + out + "}";
  }
  return out;
}

}  // namespace

std::string recipe_text(const Recipe& recipe) {
  std::string text;
  if (const auto& data = recipe.calibration) {
    std::string files;
    for (const std::string& file : data->texts) files += (files.empty() ? "" : ", ") + quoted(file);
    text += fmt::format(
        "calibration: {{text: [{}], samples: {}, length: {}, seed: {}, first_token: {}}}\n", files,
        data->samples, data->length, data->seed, data->first_token);
  }
  text += recipe.layers.empty() ? "layers: []\n" : "layers:\n";
  for (const LayerRule& rule : recipe.layers) {
    text +=
        fmt::format("  - {{match: {}, scheme: {}", quoted(rule.match), quoted(rule.scheme_text));
    if (rule.activations)
      text += fmt::format(", activations: {}", activation_name(*rule.activations));
    text += "}\n";
  }
  text += recipe.steps.empty() ? "steps: []\n" : "steps:\n";
  for (const StepSetting& step : recipe.steps) {
    const bool bare = step.options.members.empty();
    text += fmt::format("  - {}{}\n", quoted(step.name), bare ? "" : ": " + flow(step.options));
  }
  if (const auto& fallback = recipe.fallback)
    text += fmt::format("fallback: {{to: {}, budget: {:.6g}}}\n", quoted(fallback->scheme),
                        fallback->budget);
  if (recipe.activations)
    text += fmt::format("activations: {}\n", activation_name(*recipe.activations));
  if (!recipe.kv.empty()) text += fmt::format("kv: {}\n", recipe.kv);
  text += fmt::format("seed: {}\n", recipe.seed);
  return text;
}

}  // namespace farthing::compress
