#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/error.h"

namespace farthing::engine {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Tokens become text, text passes the stop strings, what is final is shown.
class Output {
 public:
  Output(const text::Tokenizer* tokenizer, const std::vector<std::string>& stop,
         const std::function<void(std::string_view)>& on_text, std::string& text)
      : stops_(stop), on_text_(on_text), text_(text) {
    if (tokenizer != nullptr) decoder_.emplace(*tokenizer);
  }
  void push(Token token) {
    if (decoder_) show(stops_.push(decoder_->push(token)));
  }
  void finish() {
    if (decoder_ && !stops_.stopped()) show(stops_.push(decoder_->finish()));
    if (!stops_.stopped()) show(stops_.finish());
  }
  bool stopped() const { return stops_.stopped(); }

 private:
  void show(const std::string& piece) {
    text_ += piece;
    if (on_text_ && !piece.empty()) on_text_(piece);
  }
  StopStrings stops_;
  std::optional<text::StreamDecoder> decoder_;
  const std::function<void(std::string_view)>& on_text_;
  std::string& text_;
};

}  // namespace

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::kEndOfText:
      return "end-of-text";
    case Finish::kStopString:
      return "stop-string";
    case Finish::kLength:
      return "length";
    case Finish::kContextFull:
      return "context-full";
    case Finish::kCancelled:
      return "cancelled";
  }
  return "";
}

Session::Session(Runtime& runtime, model::Model& model, kernels::KvType kv_type)
    : runtime_(runtime), model_(model), kv_(model.make_cache(kv_type)), sequence_(kv_.open()) {}

Session::~Session() { kv_.close(sequence_); }

std::vector<float> Session::run(std::span<const Token> tokens, std::int64_t chunk,
                                const std::function<bool()>& cancelled) {
  std::vector<float> last;
  const auto length = static_cast<cache::Position>(past_.size() + tokens.size());
  std::vector<Token> again;
  if (!past_.empty() && !model_.cache_serves(known_length_, length)) {
    again = past_;
    again.insert(again.end(), tokens.begin(), tokens.end());
    tokens = again;
    past_.clear();
    kv_.truncate(sequence_, 0);
  }
  known_length_ = length;
  while (!tokens.empty()) {
    if (cancelled && cancelled()) return {};
    const auto count = std::min(static_cast<std::size_t>(chunk), tokens.size());
    const bool end = count == tokens.size();
    const cache::SequenceSlice slice{sequence_, 0, static_cast<std::int64_t>(count),
                                     static_cast<cache::Position>(past_.size()), length};
    const std::int64_t wanted = static_cast<std::int64_t>(count) - 1;
    const cache::Batch batch{tokens.first(count), {&slice, 1}, {&wanted, end ? 1u : 0u}};
    model_.forward(runtime_, batch, kv_, [&](std::int64_t, MatrixView<const float> logits) {
      last.assign(logits.row(0).begin(), logits.row(0).end());
    });
    past_.insert(past_.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
    tokens = tokens.subspan(count);
  }
  return last;
}

Generated Session::generate(std::span<const Token> prompt, const GenerateOptions& options,
                            const text::Tokenizer* tokenizer, std::span<const Token> end_tokens,
                            const std::function<void(std::string_view)>& on_text,
                            const std::function<bool()>& cancelled) {
  if (prompt.empty())
    usage_error(
        "the prompt has no tokens and this model has no beginning-of-text token; give some text");
  check(options.sampling);
  const std::int64_t context = model_.config().max_positions;
  if (static_cast<std::int64_t>(prompt.size()) > context)
    bad_input("the prompt has {} tokens; this model's context is {}: shorten it", prompt.size(),
              context);

  // Keep the common beginning, but run at least the last token: its logits are needed.
  auto kept = static_cast<std::size_t>(std::ranges::mismatch(past_, prompt).in1 - past_.begin());
  kept = std::min(kept, prompt.size() - 1);
  const bool windowed =
      std::ranges::any_of(model_.config().windows, [](std::int64_t w) { return w > 0; });
  if (windowed && kept < past_.size())
    kept = 0;  // a window may have given back what is needed again
  past_.resize(kept);
  kv_.truncate(sequence_, static_cast<cache::Position>(kept));

  Generated result;
  result.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  auto start = Clock::now();
  std::vector<float> logits = run(prompt.subspan(kept), options.prefill_chunk, cancelled);
  result.prefill_seconds = seconds_since(start);

  start = Clock::now();
  Sampler sampler(options.sampling);
  Output output(tokenizer, options.stop, on_text, result.text);
  std::vector<Token> all(prompt.begin(), prompt.end());
  while (static_cast<std::int64_t>(result.tokens.size()) < options.max_tokens) {
    if (logits.empty() || (cancelled && cancelled())) {
      result.finish = Finish::kCancelled;
      break;
    }
    const Token token = sampler.sample(logits, all);
    if (!options.ignore_eos && std::ranges::find(end_tokens, token) != end_tokens.end()) {
      result.finish = Finish::kEndOfText;
      break;
    }
    result.tokens.push_back(token);
    all.push_back(token);
    output.push(token);
    if (output.stopped()) {
      result.finish = Finish::kStopString;
      break;
    }
    if (static_cast<std::int64_t>(all.size()) >= context) {
      result.finish = Finish::kContextFull;
      break;
    }
    if (static_cast<std::int64_t>(result.tokens.size()) < options.max_tokens)
      logits = run({&token, 1}, 1, cancelled);
  }
  output.finish();
  result.decode_seconds = seconds_since(start);
  return result;
}

}  // namespace farthing::engine
