#include "text/tokenizer_json.h"

#include <array>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/json_parts.h"
#include "text/unigram.h"
#include "text/word_models.h"

namespace farthing::text {
namespace {

Vocabulary read_vocabulary(const Json& model, std::string_view where) {
  const Json* vocab = json_find(model, "vocab");
  if (vocab == nullptr || !vocab->is_object())
    bad_input("{}: the model needs \"vocab\", an object of tokens and ids", where);
  if (vocab->empty()) bad_input("{}: the model's vocabulary is empty", where);
  Vocabulary vocabulary(where);
  vocabulary.reserve(vocab->size(), vocab->size() * 8);
  for (const auto& [piece, id] : vocab->items()) {
    if (!id.is_number_integer())
      bad_input("{}: the token \"{}\" has the id {}; ids are integers", where, printable(piece),
                json_shown(id));
    vocabulary.add(piece, id.get<std::int64_t>());
  }
  return vocabulary;
}

// Merges come as "left right" or as [left, right]; `use(left, right)` takes each in order.
template <class Use>
void for_each_merge(const Json& merges, std::string_view where, const Use& use) {
  std::size_t index = 0;
  for (const Json& merge : merges) {
    ++index;
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version")) continue;
      const std::size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
        bad_input("{}: merge {} must be two tokens with a space between; found \"{}\"", where,
                  index, printable(text));
      use(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      use(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
    } else {
      bad_input("{}: merge {} must be two tokens; found {}", where, index, json_shown(merge));
    }
  }
}

std::unique_ptr<Model> read_bpe(const Json& model, std::string_view where) {
  BpeOptions options;
  if (json_find(model, "unk_token") != nullptr)
    options.unknown = json_text(model, "unk_token", where);
  options.continuing_prefix = json_text(model, "continuing_subword_prefix", "", where);
  options.end_suffix = json_text(model, "end_of_word_suffix", "", where);
  options.fuse_unknown = json_bool(model, "fuse_unk", false, where);
  options.byte_fallback = json_bool(model, "byte_fallback", false, where);
  options.ignore_merges = json_bool(model, "ignore_merges", false, where);
  auto bpe = std::make_unique<BpeModel>(read_vocabulary(model, where), options);
  if (const Json* merges = json_find(model, "merges")) {
    if (!merges->is_array()) bad_input("{}: \"merges\" must be an array", where);
    bpe->reserve_merges(merges->size());
    for_each_merge(*merges, where, [&](std::string_view left, std::string_view right) {
      bpe->add_merge(left, right);
    });
  }
  bpe->finish();
  return bpe;
}

std::unique_ptr<Model> read_unigram(const Json& model, std::string_view where) {
  const Json* vocab = json_find(model, "vocab");
  if (vocab == nullptr || !vocab->is_array() || vocab->empty())
    bad_input("{}: a Unigram model needs \"vocab\", an array of [token, score] with an entry",
              where);
  Vocabulary vocabulary(where);
  vocabulary.reserve(vocab->size(), vocab->size() * 8);
  std::vector<double> scores;
  for (const Json& entry : *vocab) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number() ||
        !std::isfinite(entry[1].get<double>()))
      bad_input("{}: entry {} of the vocabulary must be [token, score]; found {}", where,
                scores.size(), json_shown(entry));
    vocabulary.add(entry[0].get_ref<const std::string&>(),
                   static_cast<std::int64_t>(scores.size()));
    scores.push_back(entry[1].get<double>());
  }
  UnigramOptions options;
  options.byte_fallback = json_bool(model, "byte_fallback", false, where);
  if (json_find(model, "unk_id") != nullptr) {
    const std::int64_t unknown = json_int(model, "unk_id", where);
    if (unknown < 0 || unknown >= vocabulary.size())
      bad_input("{}: unk_id is {}; the vocabulary has {} tokens", where, unknown,
                vocabulary.size());
    options.unknown = static_cast<Token>(unknown);
  }
  const std::vector<bool> all(scores.size(), true), none(scores.size(), false);
  return std::make_unique<UnigramModel>(std::move(vocabulary), std::move(scores), all, none,
                                        options);
}

std::unique_ptr<Model> read_word_piece(const Json& model, std::string_view where) {
  const std::int64_t longest = json_int(model, "max_input_chars_per_word", 100, where);
  if (longest < 0 || longest > 1 << 20)
    bad_input("{}: max_input_chars_per_word must be from 0 to {}; found {}", where, 1 << 20,
              longest);
  return std::make_unique<WordPieceModel>(
      read_vocabulary(model, where), json_text(model, "unk_token", "[UNK]", where),
      json_text(model, "continuing_subword_prefix", "##", where),
      static_cast<std::size_t>(longest));
}

std::unique_ptr<Model> read_word_level(const Json& model, std::string_view where) {
  return std::make_unique<WordLevelModel>(read_vocabulary(model, where),
                                          json_text(model, "unk_token", "<unk>", where));
}

// Files of before 2020 do not name the type.
std::string guess_type(const Json& model) {
  if (json_find(model, "merges") != nullptr) return "BPE";
  if (const Json* vocab = json_find(model, "vocab"); vocab != nullptr && vocab->is_array())
    return "Unigram";
  return json_find(model, "continuing_subword_prefix") != nullptr ? "WordPiece" : "WordLevel";
}

Json child(const Json& object, std::string_view key) {
  const Json* found = json_find(object, key);
  return found != nullptr ? *found : Json(nullptr);
}

}  // namespace

std::unique_ptr<Model> read_model(const Json& model, std::string_view where) {
  const std::string type = json_text(model, "type", guess_type(model), where);
  if (type == "BPE") return read_bpe(model, where);
  if (type == "Unigram") return read_unigram(model, where);
  if (type == "WordPiece") return read_word_piece(model, where);
  if (type == "WordLevel") return read_word_level(model, where);
  static constexpr std::array<std::string_view, 4> kKnown = {"BPE", "Unigram", "WordPiece",
                                                             "WordLevel"};
  unknown_type("model", type, kKnown, where);
}

PipelineParts read_tokenizer_json(std::string_view json, std::string_view where) {
  const Json root = parse_json(json, where);
  if (!root.is_object()) bad_input("{}: must be a JSON object", where);
  const Json* model = json_find(root, "model");
  if (model == nullptr || !model->is_object()) bad_input("{}: \"model\" is missing", where);
  PipelineParts parts;
  parts.model = read_model(*model, where);
  parts.normalizer = read_normalizer(child(root, "normalizer"), where);
  parts.pre_tokenizer = read_pre_tokenizer(child(root, "pre_tokenizer"), where);
  parts.decoder = read_decoder(child(root, "decoder"), where);
  parts.frame = read_post_processor(child(root, "post_processor"), where);
  parts.added = read_added_tokens(json_find(root, "added_tokens"), where);
  return parts;
}

std::unique_ptr<Tokenizer> Tokenizer::from_tokenizer_json(std::string_view json,
                                                          std::string_view where) {
  return std::make_unique<PipelineTokenizer>(read_tokenizer_json(json, where));
}

}  // namespace farthing::text
