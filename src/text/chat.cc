#include "text/chat.h"

#include "core/error.h"

namespace farthing::text {
namespace {

constexpr std::string_view kConfig = "tokenizer_config.json";

// "<s>", or {"content": "<s>", ...} as older files have it.
void add_token(const Json& value, const std::string& name, Json& variables) {
  if (value.is_string())
    variables[name] = value;
  else if (const Json* content = value.is_object() ? json_find(value, "content") : nullptr;
           content != nullptr && content->is_string())
    variables[name] = *content;
}

void add_special_tokens(const io::Checkpoint& checkpoint, Json& variables) {
  for (std::string_view file : {std::string_view("special_tokens_map.json"), kConfig})
    if (const auto text = checkpoint.text_file(file)) {
      const Json config = parse_json(*text, file);
      for (std::string name : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token",
                               "cls_token", "mask_token"})
        if (const Json* value = json_find(config, name)) add_token(*value, name, variables);
    }
  const Json* metadata = checkpoint.metadata();
  if (metadata == nullptr) return;
  const Json* tokens = json_find(*metadata, "tokenizer.ggml.tokens");
  for (std::string name : {"bos", "eos", "unknown", "padding"}) {
    const Json* id = json_find(*metadata, "tokenizer.ggml." + name + "_token_id");
    if (tokens == nullptr || id == nullptr || !id->is_number_unsigned() ||
        id->get<std::size_t>() >= tokens->size())
      continue;
    variables[(name == "unknown"   ? "unk"
               : name == "padding" ? "pad"
                                   : name) +
              "_token"] = (*tokens)[id->get<std::size_t>()];
  }
}

// A string, or a list of {"name", "template"} of which "default" is meant.
std::unique_ptr<ChatTemplate> from_config(const Json& value) {
  if (value.is_string()) return std::make_unique<ChatTemplate>(value.get<std::string>(), kConfig);
  if (value.is_array())
    for (const Json& one : value)
      if (one.is_object() && json_text(one, "name", "", kConfig) == "default")
        return std::make_unique<ChatTemplate>(json_text(one, "template", kConfig), kConfig);
  return nullptr;
}

}  // namespace

std::unique_ptr<ChatTemplate> ChatTemplate::load(const io::Checkpoint& checkpoint) {
  if (const auto source = checkpoint.text_file("chat_template.jinja"))
    return std::make_unique<ChatTemplate>(*source, "chat_template.jinja");
  if (const auto text = checkpoint.text_file(kConfig)) {
    const Json config = parse_json(*text, kConfig);
    if (const Json* value = json_find(config, "chat_template")) return from_config(*value);
  }
  const Json* metadata = checkpoint.metadata();
  const Json* value =
      metadata == nullptr ? nullptr : json_find(*metadata, "tokenizer.chat_template");
  return value == nullptr ? nullptr : from_config(*value);
}

std::string render_chat(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                        std::string_view date, bool add_generation_prompt) {
  const auto chat = ChatTemplate::load(checkpoint);
  if (!chat)
    bad_input("{}: has no chat template (chat_template.jinja, or chat_template in {})",
              checkpoint.path(), kConfig);
  Json variables{{"messages", messages},
                 {"tools", tools == nullptr ? Json() : *tools},
                 {"documents", Json()},
                 {"add_generation_prompt", add_generation_prompt}};
  add_special_tokens(checkpoint, variables);
  return chat->render(variables, date);
}

}  // namespace farthing::text
