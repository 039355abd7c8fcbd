#include "text/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/json_parts.h"
#include "text/probes.h"
#include "text/sentencepiece_model.h"

namespace farthing::text {
namespace {

#define FARTHING_TAIL R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" FARTHING_TAIL;
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" FARTHING_TAIL;
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" FARTHING_TAIL;
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" FARTHING_TAIL;
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" FARTHING_TAIL;
constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" FARTHING_TAIL;
#undef FARTHING_TAIL
constexpr std::string_view kBloom =
    " ?[^(\\s|[.,!?\xE2\x80\xA6\xE3\x80\x82\xEF\xBC\x8C\xE3\x80\x81\xE0\xA5\xA4\xDB\x94\xD8\x8C])]"
    "+";
constexpr std::string_view kHanKana =
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+";
constexpr std::string_view kAsian =
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+";
// What splits before GPT-2's pattern where llama.cpp has "default" and "falcon".
constexpr std::string_view kPunctuationRun = R"([\p{P}\$\+<=>\^~\|]+)";
constexpr std::string_view kFalconRun = R"([\p{P}\$\+<=>\^~\|`]+)";

struct Pre {
  std::string_view names;                    // space-separated values of tokenizer.ggml.pre
  std::array<std::string_view, 5> patterns;  // applied one after the other
  bool ignore_merges = false, adds_bos = false;
};
constexpr Pre kPres[] = {
    {"default", {kPunctuationRun, kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
    {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral", {kLlama3}, true, true},
    {"dbrx smaug-bpe chatglm-bpe", {kLlama3}},
    {"qwen2 stablelm2 deepseek-r1-qwen megrez", {kQwen2}},
    {"qwen35", {kQwen35}},
    {"gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de mpt olmo jais roberta-bpe",
     {kGpt2}},
    {"starcoder refact command-r smollm codeshell exaone minerva-7b", {R"(\p{N})", kGpt2}},
    {"falcon", {kFalconRun, kGpt2, "[0-9][0-9][0-9]"}},
    {"deepseek-coder", {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kAsian, R"(\p{N})"}},
    {"deepseek-v3", {R"(\p{N}{1,3})", kHanKana, kDeepseek3}},
    {"bloom poro-chat gpt3-finnish", {kBloom}},
    {"viking", {kBloom, R"(\p{N})"}},
    {"tekken", {kTekken}, true, true},
    {"gpt-4o llama4", {kO200k}},
};

const Pre& find_pre(const std::string& name, std::string_view where) {
  std::vector<std::string> all;
  for (const Pre& pre : kPres) {
    for (std::string& known : split(pre.names, ' ')) {
      if (known == name) return pre;
      all.push_back(std::move(known));
    }
  }
  const std::vector<std::string_view> views(all.begin(), all.end());
  unknown_type("tokenizer.ggml.pre", name, views, where);
}

// The entries of tokenizer.ggml.tokens, scores and token_type side by side.
std::vector<SentencePieceModel::Entry> read_entries(const Json& metadata, std::string_view where) {
  const Json* tokens = json_find(metadata, "tokenizer.ggml.tokens");
  if (tokens == nullptr || !tokens->is_array() || tokens->empty())
    bad_input("{}: tokenizer.ggml.tokens must be an array of strings with an entry", where);
  std::vector<SentencePieceModel::Entry> entries(tokens->size());
  const auto side = [&](std::string_view key) -> const Json* {
    const Json* list = json_find(metadata, key);
    if (list != nullptr && (!list->is_array() || list->size() != entries.size()))
      bad_input("{}: {} must be an array with an entry for each of the {} tokens", where, key,
                entries.size());
    return list;
  };
  const Json* scores = side("tokenizer.ggml.scores");
  const Json* kinds = side("tokenizer.ggml.token_type");
  for (std::size_t id = 0; id < entries.size(); ++id) {
    const Json& token = (*tokens)[id];
    if (!token.is_string() || !is_utf8(token.get_ref<const std::string&>()))
      bad_input("{}: token {} of tokenizer.ggml.tokens is not UTF-8 text", where, id);
    entries[id].piece = token.get<std::string>();
    if (scores != nullptr) {
      if (!(*scores)[id].is_number() || !std::isfinite((*scores)[id].get<float>()))
        bad_input("{}: the score of token {} must be a finite number", where, id);
      entries[id].score = (*scores)[id].get<float>();
    }
    if (kinds != nullptr) {
      const Json& kind = (*kinds)[id];
      if (!kind.is_number_integer() || kind.get<std::int64_t>() < 0 || kind.get<std::int64_t>() > 6)
        bad_input("{}: token {} is of the type {}; types run from 1 to 6", where, id,
                  json_shown(kind));
      if (kind.get<int>() != 0) entries[id].kind = static_cast<PieceKind>(kind.get<int>());
    }
  }
  return entries;
}

std::optional<Token> read_id(const Json& metadata, std::string_view key, std::size_t tokens,
                             std::string_view where) {
  const std::int64_t id = json_int(metadata, key, -1, where);
  if (id < 0 || id == 0xFFFFFFFF) return std::nullopt;
  if (id >= static_cast<std::int64_t>(tokens))
    bad_input("{}: {} is {}; the vocabulary has {} tokens", where, key, id, tokens);
  return static_cast<Token>(id);
}

// Control and unknown tokens are special, user-defined ones are found in any text.
std::vector<AddedToken> read_added(const std::vector<SentencePieceModel::Entry>& entries,
                                   std::string_view where) {
  std::vector<AddedToken> added;
  for (std::size_t id = 0; id < entries.size(); ++id) {
    const PieceKind kind = entries[id].kind;
    const bool special = kind == PieceKind::kControl || kind == PieceKind::kUnknown;
    if ((!special && kind != PieceKind::kUserDefined) || entries[id].piece.empty()) continue;
    if (entries[id].piece.size() > AddedTokens::kMaxBytes)
      bad_input("{}: the control token {} is {} bytes long; the limit is {}", where, id,
                entries[id].piece.size(), AddedTokens::kMaxBytes);
    added.push_back(
        {.content = entries[id].piece, .id = static_cast<Token>(id), .special = special});
  }
  return added;
}

std::unique_ptr<Model> read_bpe(const Json& metadata,
                                const std::vector<SentencePieceModel::Entry>& entries,
                                bool ignore_merges, std::string_view where) {
  Vocabulary vocabulary(where);
  vocabulary.reserve(entries.size(), entries.size() * 8);
  for (std::size_t id = 0; id < entries.size(); ++id)
    vocabulary.add(entries[id].piece, static_cast<std::int64_t>(id));
  auto model =
      std::make_unique<BpeModel>(std::move(vocabulary), BpeOptions{.unknown = std::nullopt,
                                                                   .continuing_prefix = "",
                                                                   .end_suffix = "",
                                                                   .ignore_merges = ignore_merges});
  const Json* merges = json_find(metadata, "tokenizer.ggml.merges");
  if (merges == nullptr || !merges->is_array())
    bad_input("{}: tokenizer.ggml.merges must be an array", where);
  model->reserve_merges(merges->size());
  for (const Json& merge : *merges) {
    const std::string text = merge.is_string() ? merge.get<std::string>() : std::string();
    const std::size_t space = text.find(' ', 1);
    if (text.empty() || space == std::string::npos)
      bad_input("{}: a merge must be two tokens with a space between; found {}", where,
                json_shown(merge));
    model->add_merge(std::string_view(text).substr(0, space),
                     std::string_view(text).substr(space + 1));
  }
  model->finish();
  return model;
}

std::unique_ptr<PreTokenizer> make_cutter(const Pre& pre, std::string_view where) {
  std::vector<std::unique_ptr<PreTokenizer>> cut;
  for (const std::string_view pattern : pre.patterns)
    if (!pattern.empty())
      cut.push_back(
          make_split(make_regex_pattern(pattern, where), SplitBehavior::kIsolated, false));
  cut.push_back(make_byte_level(false, false));
  return make_pre_tokenizer_sequence(std::move(cut));
}

std::vector<std::string> cut_by(const PreTokenizer* pre_tokenizer, std::string_view text) {
  Pieces pieces{std::string(text), {{0, text.size(), true}}};
  if (pre_tokenizer != nullptr) pre_tokenizer->apply(pieces);
  std::vector<std::string> cut;
  for (const Piece& piece : pieces.list) cut.emplace_back(pieces.of(piece));
  return cut;
}

PipelineParts read_byte_level(const Json& metadata, std::string_view where) {
  const std::vector<SentencePieceModel::Entry> entries = read_entries(metadata, where);
  const Pre& pre = find_pre(json_text(metadata, "tokenizer.ggml.pre", "default", where), where);
  PipelineParts parts;
  parts.model = read_bpe(metadata, entries, pre.ignore_merges, where);
  parts.pre_tokenizer = make_cutter(pre, where);
  parts.decoder = make_byte_level_decoder();
  parts.added = read_added(entries, where);
  if (pre.adds_bos)
    if (const auto bos = read_id(metadata, "tokenizer.ggml.bos_token_id", entries.size(), where))
      parts.frame.before = {*bos};
  return parts;
}

PipelineParts read_scored(const Json& metadata, int model_type, std::string_view where) {
  SentencePieceModel model;
  model.model_type = model_type;
  model.pieces = read_entries(metadata, where);
  model.byte_fallback = std::any_of(model.pieces.begin(), model.pieces.end(),
                                    [](const auto& e) { return e.kind == PieceKind::kByte; });
  const std::size_t count = model.pieces.size();
  model.unknown_id = read_id(metadata, "tokenizer.ggml.unknown_token_id", count, where).value_or(0);
  model.add_dummy_prefix = json_bool(metadata, "tokenizer.ggml.add_space_prefix", true, where);
  model.remove_extra_whitespaces =
      model_type == 1 &&
      json_bool(metadata, "tokenizer.ggml.remove_extra_whitespaces", false, where);
  if (const Json* map = json_find(metadata, "tokenizer.ggml.precompiled_charsmap");
      map != nullptr && map->is_array())
    for (const Json& byte : *map)
      if (byte.is_number_integer())
        model.charsmap.push_back(static_cast<char>(byte.get<std::int64_t>() & 0xFF));
  std::vector<AddedToken> added = read_added(model.pieces, where);
  for (SentencePieceModel::Entry& entry : model.pieces)
    if (entry.kind == PieceKind::kUserDefined) entry.kind = PieceKind::kNormal;
  // llama.cpp puts the space in front after each control token, too.
  PipelineParts parts = sentencepiece_parts(model, true, where);
  parts.added = std::move(added);
  parts.frame = {};
  if (const auto bos = read_id(metadata, "tokenizer.ggml.bos_token_id", count, where))
    if (model_type == 2) parts.frame.before = {*bos};
  return parts;
}

// Tokens that end an answer, by the names that chat models give them.
void add_named_ends(PipelineParts& parts) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>"};
  for (const AddedToken& token : parts.added)
    if (token.special && std::find(kNames.begin(), kNames.end(), token.content) != kNames.end() &&
        std::find(parts.eos.begin(), parts.eos.end(), token.id) == parts.eos.end())
      parts.eos.push_back(token.id);
}

void set_ends(PipelineParts& parts, const Json& metadata, std::string_view where) {
  const auto count = static_cast<std::size_t>(parts.model->vocabulary().size());
  const auto id = [&](std::string_view key) { return read_id(metadata, key, count, where); };
  parts.bos = id("tokenizer.ggml.bos_token_id");
  parts.eos.clear();
  for (const std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.eom_token_id"})
    if (const auto end = id(key)) parts.eos.push_back(*end);
  const auto decide = [&](std::string_view key, std::vector<Token>& side,
                          std::optional<Token> token) {
    if (json_find(metadata, key) == nullptr) return;
    side.clear();
    if (token && json_bool(metadata, key, false, where)) side = {*token};
  };
  decide("tokenizer.ggml.add_bos_token", parts.frame.before, parts.bos);
  decide("tokenizer.ggml.add_eos_token", parts.frame.after, id("tokenizer.ggml.eos_token_id"));
  add_named_ends(parts);
}

// The file has no place for a token's flags; llama.cpp knows Phi-3's by the model's name: control
// tokens swallow the blanks that follow.
void strip_as_phi3(PipelineParts& parts, const Json& metadata, std::string_view where) {
  std::string name = json_text(metadata, "general.name", "", where);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return;
  for (AddedToken& token : parts.added)
    token.rstrip =
        token.content == "</s>" || (token.special && token.content != "<unk>" &&
                                    token.content != "<s>" && token.content != "<|endoftext|>");
}

}  // namespace

std::optional<std::string> gguf_pre_name(const PreTokenizer* pre_tokenizer, bool ignore_merges) {
  std::optional<std::string> found;
  for (const Pre& pre : kPres) {
    const auto cutter = make_cutter(pre, "tokenizer.ggml.pre");
    const auto texts = probe_texts();
    const bool same = std::all_of(texts.begin(), texts.end(), [&](std::string_view text) {
      return cut_by(pre_tokenizer, text) == cut_by(cutter.get(), text);
    });
    if (!same || (found && pre.ignore_merges != ignore_merges)) continue;
    found = split(pre.names, ' ').front();
    if (pre.ignore_merges == ignore_merges) break;
  }
  return found;
}

PipelineParts read_gguf_vocabulary(const Json& metadata, std::string_view where) {
  const std::string model = json_text(metadata, "tokenizer.ggml.model", "none", where);
  PipelineParts parts;
  if (model == "none" || model == "no_vocab") return parts;
  if (model == "gpt2")
    parts = read_byte_level(metadata, where);
  else if (model == "llama")
    parts = read_scored(metadata, 2, where);
  else if (model == "t5")
    parts = read_scored(metadata, 1, where);
  else
    unknown_type("tokenizer.ggml.model", model,
                 std::array<std::string_view, 3>{"gpt2", "llama", "t5"}, where);
  set_ends(parts, metadata, where);
  strip_as_phi3(parts, metadata, where);
  return parts;
}

}  // namespace farthing::text
