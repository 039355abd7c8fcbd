// Vocabularies in files of older or simpler kinds than tokenizer.json.
#pragma once

#include <string_view>

#include "text/pipeline.h"

namespace farthing::text {

// GPT-2's vocab.json ({"token": id}) and merges.txt (a merge a line): byte-level BPE.
PipelineParts read_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                    bool add_prefix_space, std::string_view where);

// A list of {"id", "piece", "score"} in order of id, as converters of llama2.c write it: a
// SentencePiece BPE model with "<0xE2>" pieces and plain spaces.
PipelineParts read_scored_pieces(std::string_view json, std::string_view where);

// A list of characters, each its own token.
PipelineParts read_characters(std::string_view json, std::string_view where);

// Whether the text of a JSON file starts an array.
bool is_json_array(std::string_view json);

}  // namespace farthing::text
