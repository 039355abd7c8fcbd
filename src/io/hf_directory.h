// A Hugging Face directory: config.json, safetensors (one file, or shards with an index), and text
// files beside them.
#pragma once

#include <memory>
#include <string>

#include "io/checkpoint.h"

namespace farthing::io {

// kTexts: config.json when there is one, no weights.
enum class Contents { kAll, kTexts };
std::unique_ptr<Checkpoint> open_hf_directory(const std::string& directory,
                                              Contents contents = Contents::kAll);

// The shard files of a model.safetensors.index.json and what it says lies where. Error: bad input
// naming `where`: a shard's name must be that of a file in the same directory.
struct ShardIndex {
  std::vector<std::string> files;                            // sorted, unique
  std::vector<std::pair<std::string, std::string>> weights;  // tensor, file
};
ShardIndex parse_shard_index(std::string_view text, std::string_view where);

}  // namespace farthing::io
