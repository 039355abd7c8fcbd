// A conversation as the text that a model was trained on.
#pragma once

#include <string>
#include <string_view>

#include "io/checkpoint.h"
#include "io/json.h"
#include "text/chat_template.h"

namespace farthing::text {

// Renders messages (a list of {role, content, ...}) by the checkpoint's chat template with the
// variables that transformers' apply_chat_template gives it: tools (or none), add_generation_prompt
// and the special tokens of tokenizer_config.json (of the vocabulary for GGUF). Error: bad input.
std::string render_chat(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                        std::string_view date, bool add_generation_prompt);

}  // namespace farthing::text
