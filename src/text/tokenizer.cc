#include "text/tokenizer.h"

#include "core/error.h"
#include "core/text.h"
#include "io/checkpoint.h"
#include "text/gguf_vocabulary.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"

namespace farthing::text {
namespace {

Json side_file(const io::Checkpoint& checkpoint, std::string_view name) {
  const auto text = checkpoint.text_file(name);
  if (!text) return nullptr;
  return parse_json(*text, printable(checkpoint.path(), 400) + "/" + std::string(name));
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::load(const io::Checkpoint& checkpoint) {
  const std::string where = printable(checkpoint.path(), 400);
  PipelineParts parts;
  if (checkpoint.metadata() != nullptr) {
    parts = read_gguf_vocabulary(*checkpoint.metadata(), where);
    return parts.model == nullptr ? nullptr : std::make_unique<PipelineTokenizer>(std::move(parts));
  }
  if (const auto json = checkpoint.text_file("tokenizer.json"))
    parts = read_tokenizer_json(*json, where + "/tokenizer.json");
  else if (const auto model = checkpoint.text_file("tokenizer.model"))
    parts = read_tokenizer_model(*model, where + "/tokenizer.model");
  else
    return nullptr;
  const ConfigFiles files = {side_file(checkpoint, "tokenizer_config.json"),
                             side_file(checkpoint, "special_tokens_map.json"),
                             side_file(checkpoint, "generation_config.json"), checkpoint.config()};
  complete_from_config(parts, files, where);
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

}  // namespace farthing::text
