// What a model is calibrated with: samples of tokens, drawn from texts and conversations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace farthing::io {
class Checkpoint;
}

namespace farthing::calibrate {

using text::Token;

// A text file, JSON lines or JSON ({"text": ...}, {"messages": [...]}, ShareGPT's {"conversations":
// [...]}, or samples tokenised before, {"ids": [...]}), or kBuiltin, the texts inside of this
// program.
struct TextSource {
  std::string path;
  double weight = 1;  // its share of the tokens, among the sources' weights
  bool operator==(const TextSource&) const = default;
};
inline constexpr std::string_view kBuiltin = "builtin";

// "books.txt" or "books.txt=0.5". Error: usage, for a weight that is not positive.
TextSource parse_source(std::string_view text);

struct DataRequest {
  std::vector<TextSource> sources;  // none: the built-in texts
  std::int64_t samples = 128;
  std::int64_t length = 512;  // tokens a sample, the beginning-of-text token included
  std::int64_t seed = 1;
  bool as_many_as_there_are = false;  // a source that is too short gives what it has
};

struct Sample {
  std::vector<Token> tokens;  // `length` of them; of a conversation at most so many
  int source = 0;             // of the request
};

struct CalibrationData {
  // In the order of use: sources mixed, so that any beginning is a mixture too. Where a source has
  // conversations, which are not joined, there are as many as bring its share of the tokens.
  std::vector<Sample> samples;
  std::string sha256;              // of lengths and ids
  std::vector<std::string> notes;  // a line each: what was left out, and why
  std::int64_t tokens() const;
};
std::string hash_of(const std::vector<Sample>& samples);

// Draws the samples: the same ones for the same sources, tokenizer, template and request. Each
// begins as the model wants it: with a beginning-of-text token where the tokenizer adds one, and
// conversations as the chat template renders them (at a fixed date); what stands inside of texts
// and messages never becomes a special token. Error: bad input for a source that is missing, empty,
// binary, malformed or too short (says how much is needed), usage for a request without sense.
CalibrationData load_data(const text::Tokenizer& tokenizer, const io::Checkpoint& checkpoint,
                          const DataRequest& request);

}  // namespace farthing::calibrate
