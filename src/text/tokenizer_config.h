// What the files beside a tokenizer add to it: tokenizer_config.json, special_tokens_map.json,
// generation_config.json and config.json.
#pragma once

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

struct ConfigFiles {
  Json tokenizer_config;  // empty where a file is missing
  Json special_tokens_map;
  Json generation_config;
  Json config;
};

// As transformers 5 does it: the tokens of added_tokens_decoder and the named special tokens join
// the added tokens (their flags win); add_bos_token and add_eos_token say what is put around a
// text, unless there is a tokenizer.json, whose post-processor decides; bos and eos are filled in,
// the ids of generation_config.json among the latter. `where` names the directory.
void complete_from_config(PipelineParts& parts, const ConfigFiles& files, bool from_tokenizer_json,
                          std::string_view where);

// transformers 5 builds the class LlamaTokenizer of a Llama model anew instead of reading how
// tokenizer.json normalises and cuts: a space in front where the text begins (everywhere with
// "legacy": true), and no other.
void rebuild_as_class(PipelineParts& parts, std::string_view tokenizer_json,
                      const ConfigFiles& files);

}  // namespace farthing::text
