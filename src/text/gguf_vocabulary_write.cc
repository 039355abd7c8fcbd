#include "text/gguf_vocabulary_write.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/chat.h"
#include "text/gguf_vocabulary.h"
#include "text/probes.h"
#include "text/read_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_json.h"
#include "text/vocab_files.h"

namespace farthing::text {
namespace {

constexpr std::string_view kPrefix = "tokenizer.";

// Where the tables of the model lie. Merges as "left right", in order of rank.
struct Tables {
  std::string kind;  // of llama.cpp: "gpt2", "llama", "t5"
  std::vector<std::string> merges;
  bool ignore_merges = false;
  std::optional<SentencePieceModel> pieces;
};

std::optional<Tables> read_tables(const io::Checkpoint& checkpoint, const std::string& where) {
  Tables tables;
  const auto model = checkpoint.text_file("tokenizer.model");
  if (model && !looks_like_tiktoken(*model)) {
    tables.pieces = parse_sentencepiece(*model, where + "/tokenizer.model");
    if (tables.pieces->model_type > 2) return std::nullopt;
    tables.kind = tables.pieces->model_type == 2 ? "llama" : "t5";
    return tables;
  }
  if (const auto json = checkpoint.text_file("tokenizer.json")) {
    std::optional<BpeSource> bpe = read_bpe_source(*json, where + "/tokenizer.json");
    if (!bpe) return std::nullopt;
    tables.kind = bpe->byte_fallback ? "llama" : "gpt2";
    tables.merges = std::move(bpe->merges);
    tables.ignore_merges = bpe->ignore_merges;
    return tables;
  }
  const auto vocab = checkpoint.text_file("vocab.json");
  const auto merges = checkpoint.text_file("merges.txt");
  if (!vocab || !merges || is_json_array(*vocab)) return std::nullopt;
  tables.kind = "gpt2";
  for (std::string& line : split(*merges, '\n'))
    if (!line.empty() && !line.starts_with("#version")) tables.merges.push_back(std::move(line));
  return tables;
}

class Writer {
 public:
  Writer(const io::Checkpoint& checkpoint, const PipelineParts& parts, const Tables& tables,
         std::int64_t vocab, Json& metadata)
      : checkpoint_(checkpoint), parts_(parts), tables_(tables), metadata_(metadata) {
    const Vocabulary& vocabulary = parts.model->vocabulary();
    std::int64_t count = std::max<std::int64_t>(vocab, vocabulary.size());
    for (const AddedToken& token : parts.added) count = std::max<std::int64_t>(count, token.id + 1);
    count_ = static_cast<std::size_t>(count);
  }

  void write() {
    key("model") = tables_.kind;
    write_tokens();
    if (tables_.kind == "gpt2")
      key("merges") = tables_.merges;
    else
      write_scores();
    write_special();
    if (tables_.pieces && !tables_.pieces->charsmap.empty()) {
      Json bytes = Json::array();
      for (const char c : tables_.pieces->charsmap) bytes.push_back(static_cast<unsigned char>(c));
      key("precompiled_charsmap") = std::move(bytes);
    }
    if (tables_.pieces && tables_.kind == "t5")
      key("remove_extra_whitespaces") = tables_.pieces->remove_extra_whitespaces;
    const ChatTemplates templates = chat_templates(checkpoint_);
    if (templates.plain) metadata_["tokenizer.chat_template"] = *templates.plain;
    if (templates.tool_use) metadata_["tokenizer.chat_template.tool_use"] = *templates.tool_use;
  }

 private:
  Json& key(std::string_view name) { return metadata_["tokenizer.ggml." + std::string(name)]; }

  PieceKind kind_of(Token id, const std::string& text) const {
    if (tables_.pieces && static_cast<std::size_t>(id) < tables_.pieces->pieces.size())
      return tables_.pieces->pieces[static_cast<std::size_t>(id)].kind;
    const bool is_byte = tables_.kind != "gpt2" && byte_of_token(text) >= 0;
    return is_byte ? PieceKind::kByte : PieceKind::kNormal;
  }

  void write_tokens() {
    const Vocabulary& vocabulary = parts_.model->vocabulary();
    std::vector<std::string> texts(count_);
    std::vector<PieceKind> kinds(count_, PieceKind::kUnused);
    for (std::size_t i = 0; i < count_; ++i) {
      const auto id = static_cast<Token>(i);
      texts[i] = vocabulary.has(id) ? std::string(vocabulary.text(id)) : fmt::format("[PAD{}]", i);
      if (vocabulary.has(id)) kinds[i] = kind_of(id, texts[i]);
    }
    for (const AddedToken& token : parts_.added) {
      const auto i = static_cast<std::size_t>(token.id);
      texts[i] = token.content;
      if (kinds[i] == PieceKind::kUnknown) continue;
      kinds[i] = token.special ? PieceKind::kControl : PieceKind::kUserDefined;
    }
    Json types = Json::array();
    for (const PieceKind kind : kinds) types.push_back(static_cast<int>(kind));
    key("tokens") = std::move(texts);
    key("token_type") = std::move(types);
  }

  // A piece's own score, or minus the rank of the merge that makes it.
  void write_scores() {
    Json::array_t scores(count_, Json(0.0));
    if (tables_.pieces) {
      for (std::size_t i = 0; i < std::min(count_, tables_.pieces->pieces.size()); ++i)
        scores[i] = static_cast<double>(tables_.pieces->pieces[i].score);
    } else {
      for (std::size_t rank = tables_.merges.size(); rank-- > 0;) {
        std::string joined = tables_.merges[rank];
        joined.erase(joined.find(' ', 1), 1);
        const Token id = parts_.model->vocabulary().find_even_hidden(joined);
        if (id != kNoToken) scores[static_cast<std::size_t>(id)] = -static_cast<double>(rank + 1);
      }
    }
    key("scores") = std::move(scores);
  }

  std::optional<Token> id_of(const Json& text) const {
    if (!text.is_string()) return std::nullopt;
    const auto& content = text.get_ref<const std::string&>();
    for (const AddedToken& token : parts_.added)
      if (token.content == content) return token.id;
    const Token id = parts_.model->vocabulary().find_even_hidden(content);
    return id == kNoToken ? std::nullopt : std::optional(id);
  }

  void write_special() {
    const Json named = chat_variables(checkpoint_, Json::array(), nullptr, false);
    constexpr std::pair<const char*, const char*> kNames[] = {
        {"unk_token", "unknown_token_id"},
        {"pad_token", "padding_token_id"},
        {"sep_token", "seperator_token_id"},  // GGUF spells it so
        {"cls_token", "cls_token_id"},
        {"mask_token", "mask_token_id"}};
    if (parts_.bos) key("bos_token_id") = *parts_.bos;
    if (!parts_.eos.empty()) key("eos_token_id") = parts_.eos.front();
    if (parts_.eos.size() > 1) key("eot_token_id") = parts_.eos[1];
    for (const auto& [name, ours] : kNames)
      if (const Json* text = json_find(named, name))
        if (const auto id = id_of(*text)) key(ours) = *id;
    key("add_bos_token") = !parts_.frame.before.empty();
    key("add_eos_token") = !parts_.frame.after.empty();
  }

  const io::Checkpoint& checkpoint_;
  const PipelineParts& parts_;
  const Tables& tables_;
  Json& metadata_;
  std::size_t count_ = 0;
};

// The sample texts that the metadata's tokenizer reads otherwise.
std::vector<std::string_view> differing(const Tokenizer& wanted, const Json& metadata,
                                        const std::string& where) {
  const PipelineTokenizer written(read_gguf_vocabulary(metadata, where));
  std::vector<std::string_view> texts;
  for (const std::string_view text : probe_texts())
    if (wanted.encode(text) != written.encode(text)) texts.push_back(text);
  return texts;
}

// What only trying tells: which of llama.cpp's ways of cutting, a space in front or none.
std::vector<std::string_view> choose_rest(const Tokenizer& wanted, const PipelineParts& parts,
                                          const Tables& tables, Json& metadata,
                                          const std::string& where) {
  if (tables.kind == "gpt2") {
    metadata["tokenizer.ggml.pre"] =
        gguf_pre_name(parts.pre_tokenizer.get(), tables.ignore_merges).value_or("default");
    return differing(wanted, metadata, where);
  }
  Json& prefix = metadata["tokenizer.ggml.add_space_prefix"];
  prefix = true;
  const auto with = differing(wanted, metadata, where);
  if (with.empty()) return with;
  prefix = false;
  const auto without = differing(wanted, metadata, where);
  prefix = with.size() <= without.size();
  return with.size() <= without.size() ? with : without;
}

}  // namespace

void add_gguf_vocabulary(const io::Checkpoint& checkpoint, std::int64_t vocab, Json& metadata,
                         std::vector<std::string>& notes) {
  if (const Json* source = checkpoint.metadata()) {
    for (const auto& [key, value] : source->items())
      if (key.starts_with(kPrefix)) metadata[key] = value;
    return;
  }
  const std::string where = printable(checkpoint.path(), 400);
  Json& model = metadata["tokenizer.ggml.model"];
  model = "no_vocab";
  PipelineParts parts = read_tokenizer(checkpoint);
  if (parts.model == nullptr) {
    notes.emplace_back("the checkpoint brings no tokenizer, and the GGUF file has none either");
    return;
  }
  const std::optional<Tables> tables = read_tables(checkpoint, where);
  if (!tables) {
    notes.emplace_back(
        "GGUF has no word for this kind of tokenizer (it knows byte-level BPE and SentencePiece): "
        "the file has no vocabulary");
    return;
  }
  Writer(checkpoint, parts, *tables, vocab, metadata).write();
  const auto wanted = Tokenizer::load(checkpoint);
  const auto wrong = choose_rest(*wanted, parts, *tables, metadata, where);
  if (!wrong.empty())
    notes.push_back(fmt::format(
        "of {} sample texts llama.cpp's tokenizer cuts {} otherwise than this one, as \"{}\": GGUF "
        "cannot say how it differs",
        probe_texts().size(), wrong.size(), printable(wrong.front())));
}

}  // namespace farthing::text
