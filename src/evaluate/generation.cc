#include "evaluate/generation.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/text.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace farthing::evaluate {
namespace {

// Runs one sequence through a model and takes the first choice after each token that wants logits.
class Greedy {
 public:
  Greedy(Runtime& runtime, const Runner& runner)
      : runtime_(runtime),
        model_(*runner.model),
        kv_(runner.model->make_cache(runner.kv)),
        sequence_(kv_.open()) {}

  // First choices after the last `count` of the tokens, which continue the sequence.
  std::vector<Token> choose(std::span<const Token> tokens, std::size_t count) {
    const auto rows = static_cast<std::int64_t>(tokens.size());
    const cache::SequenceSlice slice{sequence_, 0, rows, kv_.length(sequence_), 0};
    std::vector<std::int64_t> wanted(count);
    for (std::size_t i = 0; i < count; ++i) wanted[i] = rows - static_cast<std::int64_t>(count - i);
    std::vector<Token> chosen(count);
    model_.forward(runtime_, {tokens, {&slice, 1}, wanted}, kv_,
                   [&](std::int64_t first, MatrixView<const float> logits) {
                     for (std::int64_t r = 0; r < logits.rows; ++r) {
                       const auto row = logits.row(r);
                       chosen[static_cast<std::size_t>(first + r)] =
                           static_cast<Token>(std::ranges::max_element(row) - row.begin());
                     }
                   });
    return chosen;
  }

 private:
  Runtime& runtime_;
  model::Model& model_;
  cache::PagedKv kv_;
  int sequence_;
};

std::vector<Token> answer(Runtime& runtime, const Runner& reference, std::span<const Token> prompt,
                          std::span<const Token> end_tokens, std::int64_t max_tokens) {
  Greedy greedy(runtime, reference);
  std::vector<Token> answer = greedy.choose(prompt, 1);
  while (static_cast<std::int64_t>(answer.size()) < max_tokens &&
         std::ranges::find(end_tokens, answer.back()) == end_tokens.end())
    answer.push_back(greedy.choose({&answer.back(), 1}, 1).front());
  return answer;
}

}  // namespace

std::vector<std::string> read_prompts(const std::string& path) {
  constexpr std::uint64_t kFileBytes = std::uint64_t{256} << 20;
  const std::string text = io::read_text_file(path, kFileBytes);
  if (!is_utf8(text)) bad_input("{}: is not UTF-8 text", printable(path));
  std::vector<std::string> prompts;
  std::int64_t number = 0;
  for (std::string& line : split(text, '\n')) {
    const std::string where = fmt::format("{}: line {}", printable(path), ++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (!path.ends_with(".jsonl")) {
      prompts.push_back(std::move(line));
      continue;
    }
    const Json document = parse_json(line, where);
    if (!document.is_object() || (!document.contains("prompt") && !document.contains("text")))
      bad_input("{}: a prompt is an object with \"prompt\" or \"text\"", where);
    prompts.push_back(json_text(document, document.contains("prompt") ? "prompt" : "text", where));
    if (prompts.back().empty()) bad_input("{}: the prompt is empty", where);
  }
  if (prompts.empty()) bad_input("{}: has no prompt", printable(path));
  return prompts;
}

GenerationResult match_generation(Runtime& runtime, const Runner& runner, const Runner& reference,
                                  const text::Tokenizer& tokenizer,
                                  const std::vector<std::string>& prompts, std::int64_t max_tokens,
                                  Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Token> end_tokens = tokenizer.eos();
  const std::int64_t positions =
      std::min(runner.model->config().max_positions, reference.model->config().max_positions);
  GenerationResult result;
  std::vector<double> exact, share;
  for (const std::string& prompt : prompts) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    GenerationResult::Answer a{.prompt = tokenizer.encode(prompt), .reference = {}};
    const auto length = static_cast<std::int64_t>(a.prompt.size());
    if (length == 0 || length + max_tokens > positions)
      bad_input("prompt {}: has {} tokens; with an answer of {} it must fit {} positions",
                result.answers.size() + 1, length, max_tokens, positions);
    a.reference = answer(runtime, reference, a.prompt, end_tokens, max_tokens);
    std::vector<Token> read = a.prompt;
    read.insert(read.end(), a.reference.begin(), a.reference.end() - 1);
    const std::vector<Token> own = Greedy(runtime, runner).choose(read, a.reference.size());
    a.agreed =
        static_cast<std::size_t>(std::ranges::mismatch(a.reference, own).in1 - a.reference.begin());
    if (!a.exact()) a.instead = own[a.agreed];
    exact.push_back(a.exact() ? 1 : 0);
    share.push_back(static_cast<double>(a.agreed) / static_cast<double>(a.reference.size()));
    result.answers.push_back(std::move(a));
    progress.update("prompts", static_cast<std::int64_t>(result.answers.size()),
                    static_cast<std::int64_t>(prompts.size()));
  }
  result.exact_match = mean_of(exact);
  result.agreed_share = mean_of(share);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace farthing::evaluate
