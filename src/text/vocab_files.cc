#include "text/vocab_files.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"
#include "io/json.h"
#include "text/bpe.h"
#include "text/ranked_bpe.h"
#include "text/sentencepiece_model.h"

namespace farthing::text {

bool is_json_array(std::string_view json) {
  const std::size_t start = json.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && json[start] == '[';
}

PipelineParts read_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                    bool add_prefix_space, std::string_view where) {
  const Json table = parse_json(vocab, where);
  if (!table.is_object() || table.empty())
    bad_input("{}: vocab.json must be an object of tokens and ids with an entry", where);
  Vocabulary vocabulary(where);
  vocabulary.reserve(table.size(), vocab.size());
  for (const auto& [piece, id] : table.items()) {
    if (!id.is_number_integer())
      bad_input("{}: the token \"{}\" has the id {}; ids are integers", where, printable(piece),
                json_shown(id));
    vocabulary.add(piece, id.get<std::int64_t>());
  }
  auto model = std::make_unique<BpeModel>(std::move(vocabulary), BpeOptions{});
  model->reserve_merges(static_cast<std::size_t>(std::count(merges.begin(), merges.end(), '\n')));
  while (!merges.empty()) {
    std::string_view line = merges.substr(0, merges.find('\n'));
    merges.remove_prefix(std::min(merges.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
      bad_input("{}: a line of merges.txt must be two tokens with a space between; found \"{}\"",
                where, printable(line));
    model->add_merge(line.substr(0, space), line.substr(space + 1));
  }
  model->finish();
  PipelineParts parts;
  parts.model = std::move(model);
  parts.pre_tokenizer = make_byte_level(add_prefix_space, true);
  parts.decoder = make_byte_level_decoder();
  return parts;
}

PipelineParts read_scored_pieces(std::string_view json, std::string_view where) {
  const Json list = parse_json(json, where);
  SentencePieceModel model;
  model.model_type = 2;
  model.remove_extra_whitespaces = false;
  for (const Json& item : list) {
    SentencePieceModel::Entry entry;
    if (json_int(item, "id", where) != static_cast<std::int64_t>(model.pieces.size()))
      bad_input("{}: piece {} must have that id; found {}", where, model.pieces.size(),
                json_int(item, "id", where));
    for (const char byte : json_text(item, "piece", where)) {
      if (byte == ' ')
        entry.piece += "\xE2\x96\x81";
      else
        entry.piece += byte;
    }
    entry.score = static_cast<float>(json_number(item, "score", where));
    static constexpr std::array kFirst = {PieceKind::kUnknown, PieceKind::kControl,
                                          PieceKind::kControl};
    if (model.pieces.size() < kFirst.size())
      entry.kind = kFirst[model.pieces.size()];
    else if (byte_of_token(entry.piece) >= 0)
      entry.kind = PieceKind::kByte;
    model.byte_fallback |= entry.kind == PieceKind::kByte;
    model.pieces.push_back(std::move(entry));
  }
  if (model.pieces.empty()) bad_input("{}: the list of pieces is empty", where);
  return sentencepiece_parts(model, false, where);
}

PipelineParts read_characters(std::string_view json, std::string_view where) {
  const Json list = parse_json(json, where);
  Vocabulary vocabulary(where);
  RankedTokens tokens;
  for (const Json& character : list) {
    if (!character.is_string())
      bad_input("{}: a list of characters holds {}", where, json_shown(character));
    vocabulary.add(character.get_ref<const std::string&>(), vocabulary.size());
    tokens.rank.push_back(0);
  }
  if (vocabulary.count() == 0) bad_input("{}: the list of characters is empty", where);
  PipelineParts parts;
  parts.model = std::make_unique<RankedBpeModel>(std::move(vocabulary), std::move(tokens),
                                                 RankedBpeOptions{});
  parts.decoder = make_fuse_decoder();
  return parts;
}

}  // namespace farthing::text
