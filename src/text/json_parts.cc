#include "text/json_parts.h"

#include <array>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {

void unknown_type(std::string_view kind, std::string_view type,
                  std::span<const std::string_view> known, std::string_view where) {
  unsupported("{}: the {} \"{}\" is not one that Farthing knows ({})", where, kind, printable(type),
              join(known, ", "));
}

std::shared_ptr<const Pattern> read_pattern(const Json& part, std::string_view where) {
  const Json* pattern = json_find(part, "pattern");
  if (pattern == nullptr || !pattern->is_object() || pattern->size() != 1)
    bad_input("{}: a pattern must be {{\"String\": ...}} or {{\"Regex\": ...}}", where);
  if (json_find(*pattern, "String") != nullptr ||
      (pattern->begin().key() == "String" && pattern->begin()->is_string()))
    return make_literal_pattern(json_text(*pattern, "String", where));
  return make_regex_pattern(json_text(*pattern, "Regex", where), where);
}

char32_t read_character(const Json& part, std::string_view key, char32_t otherwise,
                        std::string_view where) {
  const std::string text = json_text(part, key, to_utf8(otherwise), where);
  const std::u32string codes = to_utf32(text);
  if (codes.size() != 1)
    bad_input("{}: \"{}\" must be one character; found \"{}\"", where, key, printable(text));
  return codes[0];
}

AddedToken read_added_token(const Json& token, std::int64_t id, std::string_view where) {
  AddedToken added;
  added.content = json_text(token, "content", where);
  if (added.content.size() > AddedTokens::kMaxBytes)
    bad_input("{}: an added token of {} bytes; the limit is {}", where, added.content.size(),
              AddedTokens::kMaxBytes);
  if (id < 0 || id > Vocabulary::kMaxId)
    bad_input("{}: the added token \"{}\" has the id {}; ids run from 0 to {}", where,
              printable(added.content), id, Vocabulary::kMaxId);
  added.id = static_cast<Token>(id);
  added.special = json_bool(token, "special", false, where);
  added.lstrip = json_bool(token, "lstrip", false, where);
  added.rstrip = json_bool(token, "rstrip", false, where);
  added.single_word = json_bool(token, "single_word", false, where);
  added.normalized = json_bool(token, "normalized", !added.special, where);
  return added;
}

std::vector<AddedToken> read_added_tokens(const Json* list, std::string_view where) {
  std::vector<AddedToken> tokens;
  if (list == nullptr || list->is_null()) return tokens;
  if (!list->is_array()) bad_input("{}: \"added_tokens\" must be an array", where);
  for (const Json& token : *list) {
    AddedToken added = read_added_token(token, json_int(token, "id", where), where);
    if (!added.content.empty()) tokens.push_back(std::move(added));
  }
  return tokens;
}

namespace {

std::vector<Token> template_ids(const Json& part, const std::string& name, std::string_view where) {
  const Json* table = json_find(part, "special_tokens");
  const Json* entry = table != nullptr ? json_find(*table, name) : nullptr;
  const Json* list = entry != nullptr ? json_find(*entry, "ids") : nullptr;
  if (list == nullptr || !list->is_array())
    bad_input("{}: the post-processor's template uses \"{}\", which its special_tokens lack", where,
              printable(name));
  std::vector<Token> ids;
  for (const Json& id : *list) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() > Vocabulary::kMaxId)
      bad_input("{}: the post-processor's \"{}\" has the id {}; ids run from 0 to {}", where,
                printable(name), json_shown(id), Vocabulary::kMaxId);
    ids.push_back(id.get<Token>());
  }
  return ids;
}

Frame read_template(const Json& part, std::string_view where) {
  const Json* single = json_find(part, "single");
  if (single == nullptr || !single->is_array())
    bad_input("{}: the post-processor's \"single\" must be an array", where);
  // No model has more than a few; a list of many ids, used many times, would fill the memory.
  constexpr std::size_t kMostTokens = 1024;
  Frame frame;
  int texts = 0;
  for (const Json& item : *single) {
    if (json_find(item, "Sequence") != nullptr) {
      ++texts;
    } else if (const Json* special = json_find(item, "SpecialToken")) {
      auto& side = texts > 0 ? frame.after : frame.before;
      const auto ids = template_ids(part, json_text(*special, "id", where), where);
      side.insert(side.end(), ids.begin(), ids.end());
      if (side.size() > kMostTokens)
        bad_input("{}: the post-processor's template puts more than {} tokens beside the text",
                  where, kMostTokens);
    } else {
      bad_input(
          "{}: the post-processor's template holds {}, which is neither a Sequence nor a "
          "SpecialToken",
          where, json_shown(item));
    }
  }
  if (texts != 1)
    unsupported("{}: the post-processor's template for one text uses the text {} times, not once",
                where, texts);
  return frame;
}

Token pair_id(const Json& part, std::string_view key, std::string_view where) {
  const Json* pair = json_find(part, key);
  if (pair == nullptr || !pair->is_array() || pair->size() != 2 ||
      !(*pair)[1].is_number_integer() || (*pair)[1].get<std::int64_t>() < 0 ||
      (*pair)[1].get<std::int64_t>() > Vocabulary::kMaxId)
    bad_input("{}: the post-processor's \"{}\" must be [token, id]", where, key);
  return (*pair)[1].get<Token>();
}

}  // namespace

Frame read_post_processor(const Json& part, std::string_view where) {
  if (part.is_null()) return {};
  const std::string type = json_text(part, "type", where);
  if (type == "ByteLevel") return {};  // only moves offsets
  if (type == "TemplateProcessing") return read_template(part, where);
  if (type == "BertProcessing" || type == "RobertaProcessing")
    return {{pair_id(part, "cls", where)}, {pair_id(part, "sep", where)}};
  if (type == "Sequence") {
    Frame frame;
    const Json* parts = json_find(part, "processors");
    if (parts == nullptr || !parts->is_array())
      bad_input("{}: the post-processor Sequence needs \"processors\"", where);
    for (const Json& inner : *parts) {
      const Frame outer = read_post_processor(inner, where);
      frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
      frame.after.insert(frame.after.end(), outer.after.begin(), outer.after.end());
    }
    return frame;
  }
  static constexpr std::array<std::string_view, 5> kKnown = {
      "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing", "Sequence"};
  unknown_type("post-processor", type, kKnown, where);
}

}  // namespace farthing::text
