// SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto, ModelProto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline.h"

namespace farthing::text {

enum class PieceKind { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct SentencePieceModel {
  struct Entry {
    std::string piece;
    float score = 0;
    PieceKind kind = PieceKind::kNormal;
  };
  std::vector<Entry> pieces;
  int model_type = 1;  // 1 Unigram, 2 BPE, 3 word, 4 character
  bool byte_fallback = false, whitespace_as_suffix = false;
  std::int64_t unknown_id = 0, bos_id = 1, eos_id = 2;
  std::string charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

// Error: bad input for anything that is not the wire format of such a message.
SentencePieceModel parse_sentencepiece(std::string_view bytes, std::string_view where);

// The tokenizer; a prefix space only where the text begins, as the library does it, also after
// control tokens when `prefix_every_section` (as llama.cpp does).
PipelineParts sentencepiece_parts(const SentencePieceModel& model, bool prefix_every_section,
                                  std::string_view where);

// tiktoken's file of "base64 rank" lines (Llama 3's tokenizer.model).
bool looks_like_tiktoken(std::string_view bytes);
PipelineParts read_tiktoken(std::string_view bytes, std::string_view where);

// Either of the two.
PipelineParts read_tokenizer_model(std::string_view bytes, std::string_view where);

}  // namespace farthing::text
