#include "evaluate/text_windows.h"

#include <algorithm>

#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace farthing::evaluate {

std::string_view convention_name(Convention convention) {
  return convention == Convention::kAll ? "all" : "second-half";
}

void apply_convention(std::string_view name, WindowOptions& o) {
  const bool gptq = name == "gptq", llama = name == "llama.cpp";
  if (name != "all" && name != "second-half" && !gptq && !llama)
    usage_error("unknown convention \"{}\"; known: all, second-half, gptq, llama.cpp",
                printable(name));
  o.convention = name == "second-half" || llama ? Convention::kSecondHalf : Convention::kAll;
  if (o.context == 0) o.context = gptq ? 2048 : 512;
}

Bos parse_bos(std::string_view name) {
  if (name == "auto") return Bos::kAuto;
  if (name == "yes") return Bos::kYes;
  if (name == "no") return Bos::kNo;
  usage_error("--bos must be auto, yes or no; got \"{}\"", printable(name));
}

std::string read_eval_text(const std::string& path) {
  std::string text = io::read_text_file(path);
  if (!is_utf8(text))
    bad_input("{}: is not UTF-8 text; evaluation needs a plain text file or JSON lines", path);
  if (!path.ends_with(".jsonl")) return text;
  std::string joined;
  std::int64_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    const std::string where = fmt::format("{}: line {}", path, ++number);
    if (line.empty()) continue;
    if (!joined.empty()) joined += "\n\n";
    joined += json_text(parse_json(line, where), "text", where);
  }
  return joined;
}

EvalText cut_windows(std::string name, std::string_view text, const text::Tokenizer& tokenizer,
                     WindowOptions o) {
  if (o.context < 2) usage_error("--context must be at least 2; got {}", o.context);
  EvalText result{.name = std::move(name),
                  .sha256 = sha256_hex(text),
                  .windows = {},
                  .first_scored = 1,
                  .options = o};
  const auto bos = tokenizer.bos();
  if (o.bos == Bos::kYes && !bos)
    usage_error("--bos yes: this model's tokenizer has no beginning-of-text token");
  const std::vector<Token> probe =
      tokenizer.encode("", {.add_special = true, .parse_special = false});
  result.has_bos = bos && (o.bos == Bos::kYes ||
                           (o.bos == Bos::kAuto && !probe.empty() && probe.front() == *bos));
  std::vector<Token> tokens =
      tokenizer.encode(text, {.add_special = false, .parse_special = false});
  if (result.has_bos) tokens.insert(tokens.begin(), *bos);

  const std::int64_t whole = static_cast<std::int64_t>(tokens.size()) / o.context;
  if (whole == 0)
    bad_input(
        "{}: has {} tokens, fewer than one window of {}; give more text or a smaller --context",
        result.name, tokens.size(), o.context);
  const std::int64_t count = o.windows > 0 ? std::min(o.windows, whole) : whole;
  for (std::int64_t w = 0; w < count; ++w) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(w * o.context);
    result.windows.emplace_back(first, first + static_cast<std::ptrdiff_t>(o.context));
    if (o.convention == Convention::kSecondHalf && result.has_bos)
      result.windows.back().front() = *bos;
  }
  // llama.cpp takes the logits from position context / 2 on: the first token scored is one later.
  if (o.convention == Convention::kSecondHalf) result.first_scored = o.context / 2 + 1;
  return result;
}

}  // namespace farthing::evaluate
