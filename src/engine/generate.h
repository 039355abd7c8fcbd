// One sequence: prefill in chunks, then a token at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/sampler.h"
#include "engine/stop_strings.h"
#include "model/model.h"
#include "text/tokenizer.h"

namespace farthing::engine {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = 256;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::int64_t prefill_chunk = 512;  // tokens a forward pass of the prompt takes
};

enum class Finish : std::uint8_t { kEndOfText, kStopString, kLength, kContextFull, kCancelled };
std::string_view finish_name(Finish finish);

struct Generated {
  std::vector<Token> tokens;  // without the one that ended it
  std::string text;
  Finish finish = Finish::kLength;
  double prefill_seconds = 0, decode_seconds = 0;
  std::int64_t prompt_tokens = 0;
};

// A conversation's state: what the cache holds, continued by each call.
class Session {
 public:
  Session(Runtime& runtime, model::Model& model, kernels::KvType kv_type);
  ~Session();

  // Answers `prompt`, which is the whole context: the beginning that it shares with what the
  // session already holds is not computed again (chat renders the whole conversation each turn).
  // on_text gets text as it becomes final; cancelled is asked before each token. Tokenizer may be
  // null: no text.
  Generated generate(std::span<const Token> prompt, const GenerateOptions& options,
                     const text::Tokenizer* tokenizer, std::span<const Token> end_tokens,
                     const std::function<void(std::string_view)>& on_text = nullptr,
                     const std::function<bool()>& cancelled = nullptr);

 private:
  // Logits after the last token; empty when cancelled.
  std::vector<float> run(std::span<const Token> tokens, std::int64_t chunk,
                         const std::function<bool()>& cancelled);

  Runtime& runtime_;
  model::Model& model_;
  cache::PagedKv kv_;
  int sequence_;
  cache::Position known_length_ = 0;  // that the cache was made for
  std::vector<Token> past_;           // tokens whose keys and values are in the cache
};

}  // namespace farthing::engine
