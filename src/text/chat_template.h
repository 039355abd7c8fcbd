// Chat templates: the Jinja language as `transformers` runs it, without its escapes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/json.h"

namespace farthing::io {
class Checkpoint;
}

namespace farthing::text {

struct TemplateLimits {
  std::int64_t steps = 5'000'000;  // evaluated nodes
  int depth = 200;                 // macros and recursive loops that call each other
  std::size_t output_bytes = 16u << 20;
  std::size_t memory_bytes = 256u << 20;  // of the values that a rendering holds
};

class ChatTemplate {
 public:
  // Error: bad input with the line, for a template that does not parse.
  ChatTemplate(std::string_view source, std::string_view where);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;

  // The template of a checkpoint (chat_template.jinja, tokenizer_config.json, GGUF metadata); null
  // when it has none. Of several templates it is "default", or "tool_use" for `tools`. Error: bad
  // input when there are several and neither of these.
  static std::unique_ptr<ChatTemplate> load(const io::Checkpoint& checkpoint, bool tools = false);

  // Renders with `variables` (an object: messages, tools, bos_token, eos_token,
  // add_generation_prompt, anything else). `date` fixes strftime_now ("2026-11-23"), "" is today.
  // Error: bad input for what the template raises, for an unknown filter, and for a limit that was
  // reached.
  std::string render(const Json& variables, std::string_view date = "",
                     TemplateLimits limits = {}) const;

 private:
  struct Program;
  std::unique_ptr<Program> program_;
};

}  // namespace farthing::text
