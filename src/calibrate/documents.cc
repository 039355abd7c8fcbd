#include "calibrate/documents.h"

#include <fmt/format.h>

#include "calibrate/builtin_texts.h"
#include "core/error.h"
#include "core/text.h"
#include "io/mapped_file.h"

namespace farthing::calibrate {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{1} << 30;
constexpr std::string_view kForms =
    "{\"text\": \"...\"}, {\"ids\": [...]}, {\"messages\": [{\"role\": ..., \"content\": ...}, "
    "...]} or "
    "{\"conversations\": [{\"from\": ..., \"value\": ...}, ...]}";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

// Where a section that should end near `at` may end: after a paragraph, a line, a word, else a
// character.
std::size_t cut_near(std::string_view text, std::size_t at, std::size_t reach) {
  const std::string_view window = text.substr(0, std::min(text.size(), at + reach));
  for (const std::string_view mark : {"\n\n", "\n", " "}) {
    const std::size_t found = window.find(mark, at);
    if (found != std::string_view::npos) return found + mark.size();
  }
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

void add_sections(std::string_view text, std::size_t section_bytes,
                  std::vector<std::string>& sections) {
  while (!text.empty()) {
    const std::size_t end = text.size() <= section_bytes + section_bytes / 2
                                ? text.size()
                                : cut_near(text, section_bytes, section_bytes / 2);
    if (!is_blank(text.substr(0, end))) sections.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// ShareGPT's {from, value} becomes {role, content}.
Json as_message(const Json& message) {
  if (!message.is_object() || message.contains("role")) return message;
  const Json* from = json_find(message, "from");
  const Json* value = json_find(message, "value");
  if (from == nullptr || value == nullptr || !from->is_string()) return message;
  const auto& name = from->get_ref<const std::string&>();
  const std::string role = name == "human" ? "user" : name == "gpt" ? "assistant" : name;
  return {{"role", role}, {"content", *value}};
}

void add_conversation(const Json& messages, const Json& tools, std::string_view where,
                      Documents& documents) {
  Json list = Json::array();
  for (const Json& message : messages) {
    list.push_back(as_message(message));
    const Json* role = list.back().is_object() ? json_find(list.back(), "role") : nullptr;
    if (role == nullptr || !role->is_string())
      bad_input("{}: each message of a conversation needs a role and a content; found {}", where,
                json_shown(message));
  }
  if (list.empty()) bad_input("{}: the conversation has no messages", where);
  documents.conversations.push_back({std::move(list), tools});
}

void add_ids(const Json& ids, std::string_view where, Documents& documents) {
  auto& sample = documents.ids.emplace_back();
  for (const Json& id : ids) {
    if (!id.is_number_integer())
      bad_input("{}: ids must be token ids; found {}", where, json_shown(id));
    sample.push_back(id.get<std::int64_t>());
  }
}

void add_record(const Json& record, std::string_view where, Documents& documents) {
  if (record.is_string()) {
    documents.texts.push_back(record.get<std::string>());
    return;
  }
  if (record.is_array()) return add_conversation(record, nullptr, where, documents);
  if (record.is_object()) {
    const Json* tools = json_find(record, "tools");
    for (const char* key : {"messages", "conversations"})
      if (const Json* messages = json_find(record, key);
          messages != nullptr && messages->is_array())
        return add_conversation(*messages, tools == nullptr ? Json() : *tools, where, documents);
    if (const Json* ids = json_find(record, "ids"); ids != nullptr && ids->is_array())
      return add_ids(*ids, where, documents);
    if (record.contains("text")) {
      documents.texts.push_back(json_text(record, "text", where));
      return;
    }
  }
  bad_input("{}: must be {}; found {}", where, kForms, json_shown(record));
}

void add_json_lines(std::string_view text, Documents& documents) {
  std::int64_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = fmt::format("{}: line {}", documents.name, ++number);
    if (!is_blank(line)) add_record(parse_json(line, where), where, documents);
  }
}

void add_json(std::string_view text, Documents& documents) {
  const Json value = parse_json(text, documents.name);
  // A list of messages is one conversation; every other list has a document an entry.
  const bool is_list =
      value.is_array() && !(!value.empty() && value[0].is_object() &&
                            (value[0].contains("role") || value[0].contains("from")));
  if (!is_list) return add_record(value, documents.name, documents);
  std::int64_t number = 0;
  for (const Json& one : value)
    add_record(one, fmt::format("{}: entry {}", documents.name, ++number), documents);
}

bool has_json_lines(const std::string& path, std::string_view text) {
  if (path.ends_with(".jsonl")) return true;
  if (path.ends_with(".txt") || path.ends_with(".md") || !text.starts_with('{')) return false;
  return Json::accept(text.substr(0, text.find('\n')));
}

void add_file(const std::string& path, std::string_view text, std::size_t section_bytes,
              Documents& documents) {
  if (path.ends_with(".json"))
    add_json(text, documents);
  else if (has_json_lines(path, text))
    add_json_lines(text, documents);
  else
    add_sections(text, section_bytes, documents.texts);
}

}  // namespace

std::size_t Documents::bytes() const {
  std::size_t sum = 0;
  for (const std::string& text : texts) sum += text.size();
  return sum;
}

Documents read_documents(const std::string& path, std::size_t section_bytes) {
  Documents documents{.name = printable(path, 400), .texts = {}, .conversations = {}, .ids = {}};
  const std::string content = io::read_text_file(path, kFileLimit);
  std::string_view text = content;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  if (text.find('\0') != std::string_view::npos || !is_utf8(text))
    bad_input("{}: is not UTF-8 text; calibration needs a plain text, JSON lines or JSON",
              documents.name);
  if (is_blank(text))
    bad_input("{}: is empty; calibration needs some text (or give --text builtin)", documents.name);
  add_file(path, text, section_bytes, documents);
  std::erase_if(documents.texts, [](const std::string& one) { return is_blank(one); });
  if (documents.texts.empty() && documents.conversations.empty() && documents.ids.empty())
    bad_input("{}: holds no text; each entry must be {}", documents.name, kForms);
  return documents;
}

Documents builtin_documents(std::size_t section_bytes) {
  Documents documents{.name = "the built-in texts", .texts = {}, .conversations = {}, .ids = {}};
  for (const BuiltinText& one : builtin_texts())
    add_file(std::string(one.file), one.text, section_bytes, documents);
  return documents;
}

std::string plain_text(const Conversation& conversation) {
  std::string text;
  for (const Json& message : conversation.messages) {
    const Json* content = json_find(message, "content");
    if (content == nullptr || !content->is_string()) continue;
    if (!text.empty()) text += "\n\n";
    text += content->get_ref<const std::string&>();
  }
  return text;
}

}  // namespace farthing::calibrate
