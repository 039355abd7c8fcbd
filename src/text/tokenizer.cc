#include "text/tokenizer.h"

#include "core/error.h"
#include "core/text.h"
#include "io/checkpoint.h"
#include "text/gguf_vocabulary.h"
#include "text/read_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"
#include "text/vocab_files.h"

namespace farthing::text {
namespace {

Json side_file(const io::Checkpoint& checkpoint, std::string_view name) {
  const auto text = checkpoint.text_file(name);
  if (!text) return Json::object();
  return parse_json(*text, printable(checkpoint.path(), 400) + "/" + std::string(name));
}

// transformers' GPT2Tokenizer takes the token that ends a text for each of these that no file
// names.
void name_gpt2_tokens(ConfigFiles& files, const Vocabulary& vocabulary) {
  static constexpr const char* kEnd = "<|endoftext|>";
  if (vocabulary.find_even_hidden(kEnd) == kNoToken) return;
  if (!files.tokenizer_config.is_object()) files.tokenizer_config = Json::object();
  for (const char* name : {"bos_token", "eos_token", "unk_token"})
    if (json_find(files.special_tokens_map, name) == nullptr &&
        !files.tokenizer_config.contains(name))
      files.tokenizer_config[name] = kEnd;
}

// The tokenizer of a directory by the best file that it has; a null model when it has none.
PipelineParts read_directory(const io::Checkpoint& checkpoint, ConfigFiles& files,
                             const std::string& where) {
  if (const auto json = checkpoint.text_file("tokenizer.json")) {
    PipelineParts parts = read_tokenizer_json(*json, where + "/tokenizer.json");
    rebuild_as_class(parts, *json, files);
    return parts;
  }
  if (const auto model = checkpoint.text_file("tokenizer.model"))
    return read_tokenizer_model(*model, where + "/tokenizer.model");
  const auto vocab = checkpoint.text_file("vocab.json");
  const auto merges = checkpoint.text_file("merges.txt");
  if (vocab && is_json_array(*vocab)) return read_scored_pieces(*vocab, where + "/vocab.json");
  if (vocab && merges) {
    PipelineParts parts = read_vocab_and_merges(
        *vocab, *merges, json_bool(files.tokenizer_config, "add_prefix_space", false, where),
        where + "/vocab.json");
    name_gpt2_tokens(files, parts.model->vocabulary());
    return parts;
  }
  if (const auto characters = checkpoint.text_file("chars.json"))
    return read_characters(*characters, where + "/chars.json");
  return {};
}

}  // namespace

PipelineParts read_tokenizer(const io::Checkpoint& checkpoint) {
  const std::string where = printable(checkpoint.path(), 400);
  if (checkpoint.metadata() != nullptr) return read_gguf_vocabulary(*checkpoint.metadata(), where);
  ConfigFiles files = {side_file(checkpoint, "tokenizer_config.json"),
                       side_file(checkpoint, "special_tokens_map.json"),
                       side_file(checkpoint, "generation_config.json"), checkpoint.config()};
  PipelineParts parts = read_directory(checkpoint, files, where);
  if (parts.model == nullptr) return parts;
  complete_from_config(parts, files, checkpoint.text_file("tokenizer.json").has_value(), where);
  return parts;
}

std::unique_ptr<Tokenizer> Tokenizer::load(const io::Checkpoint& checkpoint) {
  PipelineParts parts = read_tokenizer(checkpoint);
  if (parts.model == nullptr) return nullptr;
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

}  // namespace farthing::text
