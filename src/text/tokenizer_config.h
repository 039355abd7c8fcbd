// What the files beside a tokenizer add to it: tokenizer_config.json, special_tokens_map.json,
// generation_config.json and config.json.
#pragma once

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

struct ConfigFiles {
  Json tokenizer_config;  // null where a file is missing
  Json special_tokens_map;
  Json generation_config;
  Json config;
};

// As transformers 5 does it: tokens of added_tokens_decoder and named special tokens join the added
// tokens (their flags win), add_bos_token and add_eos_token replace the post-processor, and bos and
// eos are filled in, the ids of generation_config.json among the latter. `where` names the
// directory.
void complete_from_config(PipelineParts& parts, const ConfigFiles& files, std::string_view where);

}  // namespace farthing::text
