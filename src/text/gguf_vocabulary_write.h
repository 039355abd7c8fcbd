// The vocabulary, merges, special tokens and chat template of a checkpoint as GGUF metadata.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint.h"

namespace farthing::text {

// Adds tokenizer.* to the metadata, for `vocab` tokens (those that the tokenizer does not have are
// unused ones). What was written is read back and compared on sample texts: where they differ, or
// where GGUF has no word for the kind of tokenizer, a note says so. Error: as Tokenizer::load().
void add_gguf_vocabulary(const io::Checkpoint& checkpoint, std::int64_t vocab, Json& metadata,
                         std::vector<std::string>& notes);

}  // namespace farthing::text
