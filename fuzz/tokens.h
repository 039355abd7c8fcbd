// What every target of a tokenizer's files does with the tokenizer.
#pragma once

#include <utility>

#include "fuzz/fuzz.h"
#include "text/pipeline.h"

namespace farthing::fuzz {

// Ids lie within the vocabulary, and the same text gives the same ids again. Decoding takes any
// ids.
inline void encode_and_decode(text::PipelineParts parts, std::string_view text) {
  if (parts.model == nullptr) return;
  const text::PipelineTokenizer tokenizer(std::move(parts));
  const auto encode = [&](bool special) {
    return tokenizer.encode(text, {.add_special = special, .parse_special = special});
  };
  for (const bool special : {false, true}) {
    const std::vector<text::Token> ids = encode(special);
    if (encode(special) != ids) __builtin_trap();
    for (const text::Token id : ids)
      if (id < 0 || id >= tokenizer.size()) __builtin_trap();
    tokenizer.decode(ids, !special);
    text::StreamDecoder stream(tokenizer);
    for (const text::Token id : ids) stream.push(id);
    stream.finish();
  }
  const text::Token last = static_cast<text::Token>(tokenizer.size() - 1);
  tokenizer.decode(std::vector<text::Token>{-1, 0, last, last + 1});
}

}  // namespace farthing::fuzz
