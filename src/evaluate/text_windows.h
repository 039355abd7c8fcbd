// Evaluation text: read, tokenised once, cut into windows of equal length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace farthing::evaluate {

using text::Token;

// Which positions of a window are scored. kAll: each but the first. kSecondHalf (llama.cpp's
// perplexity tool): those from the middle on.
enum class Convention : std::uint8_t { kAll, kSecondHalf };
// kAuto: what the tokenizer does by itself. kAll takes at most one, before the whole text;
// kSecondHalf replaces the first token of every window, as llama.cpp does.
enum class Bos : std::uint8_t { kAuto, kYes, kNo };

struct WindowOptions {
  Convention convention = Convention::kAll;
  std::int64_t context = 512;
  std::int64_t windows = 0;  // at most so many; 0: all
  Bos bos = Bos::kAuto;
};

std::string_view convention_name(Convention convention);
// "all", "second-half", and the aliases "gptq" (all, 2048) and "llama.cpp" (second half, 512),
// which set what the caller has not given (context 0, bos kAuto). Error: usage.
void apply_convention(std::string_view name, WindowOptions& options);
Bos parse_bos(std::string_view name);

struct EvalText {
  std::string name, sha256;
  std::vector<std::vector<Token>> windows;  // each of `context` tokens
  std::int64_t first_scored = 1;            // position of a window
  WindowOptions options;
  bool has_bos = false;
};

// A text file, or JSON lines ({"text": ...} a line, joined by an empty line). Error: bad input for
// a file that is not UTF-8 text or too short for one window.
std::string read_eval_text(const std::string& path);
EvalText cut_windows(std::string name, std::string_view text, const text::Tokenizer& tokenizer,
                     WindowOptions options);

}  // namespace farthing::evaluate
