// A conversation as the text that a model was trained on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/checkpoint.h"
#include "io/json.h"
#include "text/chat_template.h"

namespace farthing::text {

// The variables that transformers' apply_chat_template gives a template: messages (a list of {role,
// content, ...} without the keys that are null), tools (null for none), add_generation_prompt and the special tokens by name. A
// message's reasoning is under every name that templates read (reasoning_content, thinking).
// `more`, null for none, is an object of further variables ("enable_thinking", "documents"); they
// go before the special tokens. Error: bad input, for messages or tools that are no list of objects
// and for `more` with a name that is taken.
Json chat_variables(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                    bool add_generation_prompt, const Json* more = nullptr);

// The texts of a checkpoint's templates. Error: bad input.
struct ChatTemplates {
  std::optional<std::string> plain, tool_use;
};
ChatTemplates chat_templates(const io::Checkpoint& checkpoint);

// Renders with the checkpoint's chat template. Error: bad input, also when there is none, and for a
// conversation without messages.
std::string render_chat(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                        std::string_view date, bool add_generation_prompt,
                        const Json* more = nullptr);

}  // namespace farthing::text
