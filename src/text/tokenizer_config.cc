#include "text/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/json_parts.h"

namespace farthing::text {
namespace {

class TokenAdder {
 public:
  explicit TokenAdder(PipelineParts& parts)
      : added_(parts.added), vocabulary_(parts.model->vocabulary()), next_(vocabulary_.count()) {
    for (std::size_t i = 0; i < added_.size(); ++i) note(i);
  }

  // Adds a token or replaces the one of the same content, whose id it keeps. A new one has the
  // vocabulary's id, else `wanted` where that is free, else the next.
  void add(AddedToken token, std::int64_t wanted = -1) {
    if (token.content.empty()) return;
    if (const auto known = places_.find(token.content); known != places_.end()) {
      token.id = added_[known->second].id;
      added_[known->second] = std::move(token);
      return;
    }
    const bool free = wanted >= 0 && !ids_.contains(static_cast<Token>(wanted)) &&
                      !vocabulary_.has(static_cast<Token>(wanted));
    const Token known = vocabulary_.find_even_hidden(token.content);
    token.id = known != kNoToken ? known : static_cast<Token>(free ? wanted : next_);
    added_.push_back(std::move(token));
    note(added_.size() - 1);
  }

 private:
  void note(std::size_t i) {
    places_.try_emplace(added_[i].content, i);
    ids_.insert(added_[i].id);
    next_ = std::max<std::int64_t>(next_, added_[i].id + 1);
  }

  std::vector<AddedToken>& added_;
  const Vocabulary& vocabulary_;
  std::int64_t next_;
  std::unordered_map<std::string, std::size_t> places_;
  std::unordered_set<Token> ids_;
};

// "<s>" or {"content": "<s>", ...}; empty for null and anything else.
AddedToken named_token(const Json& value, std::string_view where) {
  AddedToken token;
  if (value.is_string())
    token.content = value.get<std::string>();
  else if (value.is_object())
    token = read_added_token(value, 0, where);
  if (token.content.size() > AddedTokens::kMaxBytes) token.content.clear();
  token.special = true;
  return token;
}

std::string content_of(const Json& files, std::string_view key, std::string_view where) {
  const Json* value = json_find(files, key);
  return value != nullptr ? named_token(*value, where).content : std::string();
}

std::optional<Token> find_token(const PipelineParts& parts, const std::string& content) {
  for (const AddedToken& token : parts.added)
    if (token.content == content) return token.id;
  const Token id = parts.model->vocabulary().find_even_hidden(content);
  return id == kNoToken || content.empty() ? std::nullopt : std::optional(id);
}

void add_configured_tokens(PipelineParts& parts, const Json& config, std::string_view where) {
  TokenAdder adder(parts);
  if (const Json* table = json_find(config, "added_tokens_decoder");
      table != nullptr && table->is_object()) {
    for (const auto& [key, value] : table->items()) {
      std::int64_t id = -1;
      const auto end = key.data() + key.size();
      if (std::from_chars(key.data(), end, id).ptr != end)
        bad_input("{}: added_tokens_decoder has the key \"{}\", which is no id", where,
                  printable(key));
      adder.add(read_added_token(value, id, where), id);
    }
  }
  static constexpr std::array<std::string_view, 7> kNamed = {
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
  for (const std::string_view name : kNamed)
    if (const Json* value = json_find(config, name)) adder.add(named_token(*value, where));
  for (const std::string_view list : {"additional_special_tokens", "extra_special_tokens"})
    if (const Json* values = json_find(config, list); values != nullptr && values->is_array())
      for (const Json& value : *values) adder.add(named_token(value, where));
}

// add_bos_token and add_eos_token, where the file has them, decide alone.
void frame_by_config(PipelineParts& parts, const Json& config, std::string_view where) {
  if (json_find(config, "add_bos_token") == nullptr &&
      json_find(config, "add_eos_token") == nullptr)
    return;
  Frame frame;
  if (const auto bos = find_token(parts, content_of(config, "bos_token", where));
      bos && json_bool(config, "add_bos_token", false, where))
    frame.before = {*bos};
  if (const auto eos = find_token(parts, content_of(config, "eos_token", where));
      eos && json_bool(config, "add_eos_token", false, where))
    frame.after = {*eos};
  parts.frame = frame;
}

void add_ids(std::vector<Token>& ids, const Json* value) {
  const auto add = [&](const Json& id) {
    if (!id.is_number_integer()) return;
    const auto number = id.get<std::int64_t>();
    if (number < 0 || number > Vocabulary::kMaxId) return;
    const auto token = static_cast<Token>(number);
    if (std::find(ids.begin(), ids.end(), token) == ids.end()) ids.push_back(token);
  };
  if (value == nullptr) return;
  if (value->is_array())
    for (const Json& id : *value) add(id);
  else
    add(*value);
}

}  // namespace

void complete_from_config(PipelineParts& parts, const ConfigFiles& files, bool from_tokenizer_json,
                          std::string_view where) {
  Json config = files.tokenizer_config.is_object() ? files.tokenizer_config : Json::object();
  if (files.special_tokens_map.is_object())
    for (const auto& [key, value] : files.special_tokens_map.items())
      if (!config.contains(key)) config[key] = value;
  add_configured_tokens(parts, config, where);
  if (!from_tokenizer_json) frame_by_config(parts, config, where);
  if (const auto bos = find_token(parts, content_of(config, "bos_token", where))) parts.bos = bos;
  if (const auto eos = find_token(parts, content_of(config, "eos_token", where)))
    parts.eos = {*eos};
  for (const Json* file : {&files.generation_config, &files.config}) {
    add_ids(parts.eos, json_find(*file, "eos_token_id"));
    std::vector<Token> bos;
    add_ids(bos, json_find(*file, "bos_token_id"));
    if (!parts.bos && !bos.empty()) parts.bos = bos.front();
  }
}

void rebuild_as_class(PipelineParts& parts, std::string_view tokenizer_json,
                      const ConfigFiles& files) {
  const Json* name = json_find(files.tokenizer_config, "tokenizer_class");
  const Json* model_type = json_find(files.config, "model_type");
  const bool llama =
      name != nullptr && (*name == "LlamaTokenizer" || *name == "LlamaTokenizerFast");
  if (!llama || model_type == nullptr || *model_type != "llama") return;
  if (dynamic_cast<const BpeModel*>(parts.model.get()) == nullptr) return;
  if (tokenizer_json.find("\"ByteLevel\"") != std::string_view::npos) return;
  const std::string_view where = parts.model->vocabulary().where();
  const bool prefix = json_bool(files.tokenizer_config, "add_prefix_space", true, where);
  const bool legacy = json_bool(files.tokenizer_config, "legacy", false, where);
  parts.normalizer = nullptr;
  parts.pre_tokenizer = make_metaspace(0x2581,
                                       !prefix  ? PrependScheme::kNever
                                       : legacy ? PrependScheme::kAlways
                                                : PrependScheme::kFirst,
                                       false);
  std::vector<DecoderPtr> decoders;
  decoders.push_back(make_replace_decoder(make_literal_pattern("\xE2\x96\x81"), " "));
  decoders.push_back(make_byte_fallback_decoder());
  decoders.push_back(make_fuse_decoder());
  if (prefix) decoders.push_back(make_strip_decoder(' ', 1, 0));
  parts.decoder = make_decoder_sequence(std::move(decoders));
}

}  // namespace farthing::text
