#include "text/tokenizer_json.h"

#include <array>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "text/bpe.h"
#include "text/json_parts.h"
#include "text/json_scanner.h"
#include "text/unigram.h"
#include "text/word_models.h"

namespace farthing::text {
namespace {

Vocabulary read_vocabulary(const ModelSource& model, std::string_view where) {
  JsonScanner scanner(model.vocab, where);
  if (scanner.peek() != '{')
    bad_input("{}: the model needs \"vocab\", an object of tokens and ids", where);
  scanner.expect('{');
  Vocabulary vocabulary(where);
  vocabulary.reserve(model.vocab.size() / 24, model.vocab.size() / 2);
  if (scanner.accept('}')) bad_input("{}: the model's vocabulary is empty", where);
  std::string piece;
  do {
    piece = scanner.string();
    scanner.expect(':');
    if (const char c = scanner.peek(); c != '-' && (c < '0' || c > '9'))
      bad_input("{}: the token \"{}\" has the id {}; ids are integers", where, printable(piece),
                printable(scanner.skip()));
    vocabulary.add(piece, scanner.integer());
  } while (scanner.more('}'));
  return vocabulary;
}

// Merges come as "left right" or as [left, right]; `use(left, right)` takes each in order.
template <class Use>
void for_each_merge(std::string_view merges, std::string_view where, const Use& use) {
  JsonScanner scanner(merges, where);
  if (merges.empty() || scanner.peek() == 'n') return;
  if (!scanner.accept('[')) bad_input("{}: \"merges\" must be an array", where);
  if (scanner.accept(']')) return;
  std::size_t index = 0;
  std::string left;
  do {
    ++index;
    if (scanner.accept('[')) {
      left = scanner.string();
      scanner.expect(',');
      use(left, scanner.string());
      scanner.expect(']');
    } else if (scanner.peek() == '"') {
      const std::string_view text = scanner.string();
      if (text.starts_with("#version")) continue;
      const std::size_t space = text.find(' ');
      if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
        bad_input("{}: merge {} must be two tokens with a space between; found \"{}\"", where,
                  index, printable(text));
      use(text.substr(0, space), text.substr(space + 1));
    } else {
      bad_input("{}: merge {} must be two tokens; found {}", where, index,
                printable(scanner.skip()));
    }
  } while (scanner.more(']'));
}

std::unique_ptr<Model> read_bpe(const ModelSource& model, std::string_view where) {
  BpeOptions options;
  const Json& json = model.options;
  if (json_find(json, "unk_token") != nullptr)
    options.unknown = json_text(json, "unk_token", where);
  options.continuing_prefix = json_text(json, "continuing_subword_prefix", "", where);
  options.end_suffix = json_text(json, "end_of_word_suffix", "", where);
  options.fuse_unknown = json_bool(json, "fuse_unk", false, where);
  options.byte_fallback = json_bool(json, "byte_fallback", false, where);
  options.ignore_merges = json_bool(json, "ignore_merges", false, where);
  auto bpe = std::make_unique<BpeModel>(read_vocabulary(model, where), options);
  bpe->reserve_merges(model.merges.size() / 24);
  for_each_merge(model.merges, where, [&](std::string_view left, std::string_view right) {
    bpe->add_merge(left, right);
  });
  bpe->finish();
  return bpe;
}

std::unique_ptr<Model> read_unigram(const ModelSource& model, std::string_view where) {
  JsonScanner scanner(model.vocab, where);
  if (!scanner.accept('[') || scanner.peek() == ']')
    bad_input("{}: a Unigram model needs \"vocab\", an array of [token, score] with an entry",
              where);
  Vocabulary vocabulary(where);
  vocabulary.reserve(model.vocab.size() / 24, model.vocab.size() / 2);
  std::vector<double> scores;
  do {
    scanner.expect('[');
    vocabulary.add(scanner.string(), static_cast<std::int64_t>(scores.size()));
    scanner.expect(',');
    scores.push_back(scanner.number());
    scanner.expect(']');
  } while (scanner.more(']'));
  UnigramOptions options;
  options.byte_fallback = json_bool(model.options, "byte_fallback", false, where);
  if (json_find(model.options, "unk_id") != nullptr) {
    const std::int64_t unknown = json_int(model.options, "unk_id", where);
    if (unknown < 0 || unknown >= vocabulary.size())
      bad_input("{}: unk_id is {}; the vocabulary has {} tokens", where, unknown,
                vocabulary.size());
    options.unknown = static_cast<Token>(unknown);
  }
  const std::vector<bool> all(scores.size(), true), none(scores.size(), false);
  return std::make_unique<UnigramModel>(std::move(vocabulary), std::move(scores), all, none,
                                        options);
}

std::unique_ptr<Model> read_word_piece(const ModelSource& model, std::string_view where) {
  const std::int64_t longest = json_int(model.options, "max_input_chars_per_word", 100, where);
  if (longest < 0 || longest > 1 << 20)
    bad_input("{}: max_input_chars_per_word must be from 0 to {}; found {}", where, 1 << 20,
              longest);
  return std::make_unique<WordPieceModel>(
      read_vocabulary(model, where), json_text(model.options, "unk_token", "[UNK]", where),
      json_text(model.options, "continuing_subword_prefix", "##", where),
      static_cast<std::size_t>(longest));
}

std::unique_ptr<Model> read_word_level(const ModelSource& model, std::string_view where) {
  return std::make_unique<WordLevelModel>(read_vocabulary(model, where),
                                          json_text(model.options, "unk_token", "<unk>", where));
}

// Files of before 2020 do not name the type.
std::string guess_type(const ModelSource& model) {
  if (!model.merges.empty()) return "BPE";
  if (model.vocab.starts_with('[')) return "Unigram";
  return json_find(model.options, "continuing_subword_prefix") != nullptr ? "WordPiece"
                                                                          : "WordLevel";
}

Json child(const Json& object, std::string_view key) {
  const Json* found = json_find(object, key);
  return found != nullptr ? *found : Json(nullptr);
}

// The text without the vocabulary and the merges of the model, which become null; those are left in
// `model`.
std::string cut_tables(std::string_view json, std::string_view where, ModelSource& model) {
  JsonScanner scanner(json, where);
  std::string rest;
  std::size_t copied = 0;
  const auto cut = [&](std::string_view& table) {
    if (!table.empty()) scanner.fail("a key that occurs twice");
    scanner.peek();
    rest.append(json, copied, scanner.position() - copied);
    rest += "null";
    table = scanner.skip();
    copied = scanner.position();
  };
  if (scanner.peek() != '{') bad_input("{}: must be a JSON object", where);
  scanner.expect('{');
  if (!scanner.accept('}')) {
    do {
      const bool is_model = scanner.string() == "model";
      scanner.expect(':');
      if (!is_model || scanner.peek() != '{') {
        scanner.skip();
        continue;
      }
      scanner.expect('{');
      if (scanner.accept('}')) continue;
      do {
        const std::string_view key = scanner.string();
        std::string_view* table = key == "vocab"    ? &model.vocab
                                  : key == "merges" ? &model.merges
                                                    : nullptr;
        scanner.expect(':');
        if (table != nullptr)
          cut(*table);
        else
          scanner.skip();
      } while (scanner.more('}'));
    } while (scanner.more('}'));
  }
  scanner.expect_end();
  rest.append(json, copied);
  return rest;
}

}  // namespace

std::unique_ptr<Model> read_model(const ModelSource& model, std::string_view where) {
  const std::string type = json_text(model.options, "type", guess_type(model), where);
  if (type == "BPE") return read_bpe(model, where);
  if (type == "Unigram") return read_unigram(model, where);
  if (type == "WordPiece") return read_word_piece(model, where);
  if (type == "WordLevel") return read_word_level(model, where);
  static constexpr std::array<std::string_view, 4> kKnown = {"BPE", "Unigram", "WordPiece",
                                                             "WordLevel"};
  unknown_type("model", type, kKnown, where);
}

PipelineParts read_tokenizer_json(std::string_view json, std::string_view where) {
  ModelSource source;
  const Json root = parse_json(cut_tables(json, where, source), where);
  const Json* model = json_find(root, "model");
  if (model == nullptr || !model->is_object()) bad_input("{}: \"model\" is missing", where);
  PipelineParts parts;
  source.options = *model;
  parts.model = read_model(source, where);
  parts.normalizer = read_normalizer(child(root, "normalizer"), where);
  parts.pre_tokenizer = read_pre_tokenizer(child(root, "pre_tokenizer"), where);
  parts.decoder = read_decoder(child(root, "decoder"), where);
  parts.frame = read_post_processor(child(root, "post_processor"), where);
  parts.added = read_added_tokens(json_find(root, "added_tokens"), where);
  return parts;
}

std::optional<BpeSource> read_bpe_source(std::string_view json, std::string_view where) {
  ModelSource source;
  const Json root = parse_json(cut_tables(json, where, source), where);
  source.options = child(root, "model");
  if (!source.options.is_object()) bad_input("{}: \"model\" is missing", where);
  if (json_text(source.options, "type", guess_type(source), where) != "BPE") return std::nullopt;
  BpeSource bpe;
  bpe.byte_fallback = json_bool(source.options, "byte_fallback", false, where);
  bpe.ignore_merges = json_bool(source.options, "ignore_merges", false, where);
  for_each_merge(source.merges, where, [&](std::string_view left, std::string_view right) {
    bpe.merges.push_back(fmt::format("{} {}", left, right));
  });
  return bpe;
}

std::unique_ptr<Tokenizer> Tokenizer::from_tokenizer_json(std::string_view json,
                                                          std::string_view where) {
  return std::make_unique<PipelineTokenizer>(read_tokenizer_json(json, where));
}

}  // namespace farthing::text
