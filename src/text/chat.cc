#include "text/chat.h"

#include "core/error.h"
#include "core/text.h"

namespace farthing::text {
namespace {

constexpr std::string_view kConfig = "tokenizer_config.json";
constexpr std::string_view kTokensMap = "special_tokens_map.json";

// "<s>", or {"content": "<s>", ...} as older files have it.
const Json* token_text(const Json& value) {
  if (value.is_string()) return &value;
  const Json* content = value.is_object() ? json_find(value, "content") : nullptr;
  return content != nullptr && content->is_string() ? content : nullptr;
}

// Every "..._token" of a file, and what it names under extra_special_tokens.
void add_tokens(const Json& config, Json& variables) {
  for (const auto& [name, value] : config.items()) {
    if (!name.ends_with("_token") || value.is_boolean()) continue;
    if (const Json* text = token_text(value))
      variables[name] = *text;
    else if (value.is_null())
      variables.erase(name);
  }
  const Json* extra = json_find(config, "extra_special_tokens");
  if (extra == nullptr || !extra->is_object()) return;
  for (const auto& [name, value] : extra->items())
    if (const Json* text = token_text(value)) variables[name] = *text;
}

Json object_of(const io::Checkpoint& checkpoint, std::string_view file) {
  const auto text = checkpoint.text_file(file);
  Json config = text ? parse_json(*text, file) : Json::object();
  if (!config.is_object()) bad_input("{}: must be an object", file);
  return config;
}

// As transformers: special_tokens_map.json counts only beside files that do not list their tokens.
void add_directory_tokens(const io::Checkpoint& checkpoint, Json& variables) {
  const Json config = object_of(checkpoint, kConfig);
  add_tokens(config, variables);
  if (!config.contains("added_tokens_decoder"))
    add_tokens(object_of(checkpoint, kTokensMap), variables);
}

void add_gguf_tokens(const Json& metadata, Json& variables) {
  const Json* tokens = json_find(metadata, "tokenizer.ggml.tokens");
  if (tokens == nullptr || !tokens->is_array()) return;
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"bos", "bos_token"},     {"eos", "eos_token"},       {"unknown", "unk_token"},
      {"padding", "pad_token"}, {"seperator", "sep_token"}, {"cls", "cls_token"},
      {"mask", "mask_token"}};
  for (const auto& [key, name] : kNames) {
    const Json* id = json_find(metadata, "tokenizer.ggml." + std::string(key) + "_token_id");
    if (id == nullptr || !id->is_number_integer()) continue;
    const auto index = id->get<std::uint64_t>();
    if (index < tokens->size() && (*tokens)[index].is_string()) variables[name] = (*tokens)[index];
  }
}

struct Templates {
  std::optional<std::string> plain, tool_use;
  std::string others;  // names, for the message
  std::string where;

  void add(const Json& name, const Json& source) {
    if (!name.is_string() || !source.is_string())
      bad_input("{}: a chat template needs a name and a text", where);
    if (name == "default")
      plain = source.get<std::string>();
    else if (name == "tool_use")
      tool_use = source.get<std::string>();
    others += (others.empty() ? "" : ", ") + printable(name.get_ref<const std::string&>());
  }

  // A text, or a list of {"name", "template"}.
  void add_all(const Json& value) {
    if (value.is_string()) {
      plain = value.get<std::string>();
    } else if (value.is_array()) {
      for (const Json& one : value) {
        if (!one.is_object()) bad_input("{}: a named chat template must be an object", where);
        add(one.value("name", Json()), one.value("template", Json()));
      }
    } else if (!value.is_null()) {
      bad_input("{}: chat_template must be a text or a list of named texts", where);
    }
  }
};

Templates find_templates(const io::Checkpoint& checkpoint) {
  Templates found;
  found.where = "chat_template.jinja";
  found.plain = checkpoint.text_file("chat_template.jinja");
  found.tool_use = checkpoint.text_file("additional_chat_templates/tool_use.jinja");
  if (found.plain || found.tool_use) return found;
  found.where = kConfig;
  const Json config = object_of(checkpoint, kConfig);
  if (const Json* value = json_find(config, "chat_template")) {
    found.add_all(*value);
    return found;
  }
  const Json* metadata = checkpoint.metadata();
  if (metadata == nullptr) return found;
  found.where = "tokenizer.chat_template";
  if (const Json* value = json_find(*metadata, "tokenizer.chat_template")) found.add_all(*value);
  if (const Json* value = json_find(*metadata, "tokenizer.chat_template.tool_use"))
    found.add("tool_use", *value);
  return found;
}

// Clients send null for what a message lacks ("content" beside "tool_calls"); templates expect the
// key not to be there.
Json without_nulls(const Json& message) {
  Json copy = Json::object();
  for (const auto& [key, value] : message.items())
    if (!value.is_null()) copy[key] = value;
  return copy;
}

// Reasoning under its newest name and under the one that gpt-oss reads.
Json with_reasoning(const Json& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Json* reasoning = json_find(message, name);
    if (reasoning == nullptr) continue;
    Json copy = {{"thinking", *reasoning}};
    for (const auto& [key, value] : message.items()) copy[key] = value;
    copy["reasoning_content"] = *reasoning;
    return copy;
  }
  return message;
}

void expect_objects(const Json& list, std::string_view what) {
  bool good = list.is_array();
  for (const Json& one : list) good = good && one.is_object();
  if (!good) bad_input("{} must be a list of objects", what);
}

}  // namespace

ChatTemplates chat_templates(const io::Checkpoint& checkpoint) {
  Templates found = find_templates(checkpoint);
  return {std::move(found.plain), std::move(found.tool_use)};
}

std::unique_ptr<ChatTemplate> ChatTemplate::load(const io::Checkpoint& checkpoint, bool tools) {
  const Templates found = find_templates(checkpoint);
  if (tools && found.tool_use)
    return std::make_unique<ChatTemplate>(*found.tool_use, found.where + " (tool_use)");
  if (found.plain) return std::make_unique<ChatTemplate>(*found.plain, found.where);
  if (found.tool_use || !found.others.empty())
    bad_input("{}: has chat templates ({}), but none of them is called default", found.where,
              found.others.empty() ? "tool_use" : found.others);
  return nullptr;
}

Json chat_variables(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                    bool add_generation_prompt, const Json* more) {
  expect_objects(messages, "messages");
  if (tools != nullptr && !tools->is_null()) expect_objects(*tools, "tools");
  Json variables = Json::object();
  if (const Json* metadata = checkpoint.metadata())
    add_gguf_tokens(*metadata, variables);
  else
    add_directory_tokens(checkpoint, variables);
  variables["documents"] = nullptr;
  if (more != nullptr && !more->is_null()) {
    if (!more->is_object()) bad_input("the template's variables must be an object");
    for (const auto& [name, value] : more->items()) {
      if (name == "messages" || name == "tools" || name == "add_generation_prompt")
        bad_input("the template's variable '{}' is given by the request itself", name);
      variables[name] = value;
    }
  }
  Json list = Json::array();
  for (const Json& message : messages) list.push_back(with_reasoning(without_nulls(message)));
  variables["messages"] = std::move(list);
  variables["tools"] = tools == nullptr ? Json() : *tools;
  variables["add_generation_prompt"] = add_generation_prompt;
  return variables;
}

std::string render_chat(const io::Checkpoint& checkpoint, const Json& messages, const Json* tools,
                        std::string_view date, bool add_generation_prompt, const Json* more) {
  const auto chat = ChatTemplate::load(checkpoint, tools != nullptr && !tools->is_null());
  if (!chat)
    bad_input("{}: has no chat template (chat_template.jinja, or chat_template in {})",
              checkpoint.path(), kConfig);
  if (messages.is_array() && messages.empty())
    bad_input("a conversation must have at least one message; found none");
  return chat->render(chat_variables(checkpoint, messages, tools, add_generation_prompt, more),
                      date);
}

}  // namespace farthing::text
