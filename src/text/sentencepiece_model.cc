#include "text/sentencepiece_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "core/cursor.h"
#include "core/error.h"
#include "core/text.h"
#include "text/charsmap.h"
#include "text/ranked_bpe.h"
#include "text/sentencepiece_normalizer.h"
#include "text/unigram.h"

namespace farthing::text {
namespace {

std::uint64_t read_varint(Cursor& cursor) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = cursor.read<std::uint8_t>("a number");
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  bad_input("{}: not a SentencePiece model: a number at byte {} does not end", cursor.where(),
            cursor.position());
}

struct Field {
  std::uint64_t number;
  std::uint64_t value = 0;     // wire types 0, 1 and 5
  std::string_view text = {};  // wire type 2
};

// use(field) for each field of a message.
template <class Use>
void for_each_field(std::string_view message, std::string_view where, const Use& use) {
  Cursor cursor(std::as_bytes(std::span(message)), where);
  while (cursor.remaining() > 0) {
    const std::uint64_t tag = read_varint(cursor);
    Field field{.number = tag >> 3};
    switch (tag & 7) {
      case 0:
        field.value = read_varint(cursor);
        break;
      case 1:
        field.value = cursor.read<std::uint64_t>("a number");
        break;
      case 2:
        field.text = cursor.text(read_varint(cursor), "a field");
        break;
      case 5:
        field.value = cursor.read<std::uint32_t>("a number");
        break;
      default:
        bad_input("{}: not a SentencePiece model: wire type {} at byte {}", where, tag & 7,
                  cursor.position());
    }
    use(field);
  }
}

std::int64_t as_int(const Field& field) {  // int32 fields are sign-extended on the wire
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(field.value));
}

SentencePieceModel::Entry parse_entry(std::string_view message, std::string_view where) {
  SentencePieceModel::Entry entry;
  for_each_field(message, where, [&](const Field& field) {
    if (field.number == 1) entry.piece = field.text;
    if (field.number == 2)
      entry.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    if (field.number == 3) {
      if (field.value < 1 || field.value > 6)
        bad_input("{}: the piece \"{}\" is of the type {}; types run from 1 to 6", where,
                  printable(entry.piece), field.value);
      entry.kind = static_cast<PieceKind>(field.value);
    }
  });
  if (!std::isfinite(entry.score))
    bad_input("{}: the piece \"{}\" has no finite score", where, printable(entry.piece));
  if (!is_utf8(entry.piece))
    bad_input("{}: the piece \"{}\" is not UTF-8", where, printable(entry.piece));
  return entry;
}

}  // namespace

SentencePieceModel parse_sentencepiece(std::string_view bytes, std::string_view where) {
  SentencePieceModel model;
  for_each_field(bytes, where, [&](const Field& outer) {
    if (outer.number == 1) model.pieces.push_back(parse_entry(outer.text, where));
    if (outer.number == 2)
      for_each_field(outer.text, where, [&](const Field& field) {
        if (field.number == 3) model.model_type = static_cast<int>(as_int(field));
        if (field.number == 24) model.whitespace_as_suffix = field.value != 0;
        if (field.number == 35) model.byte_fallback = field.value != 0;
        if (field.number == 40) model.unknown_id = as_int(field);
        if (field.number == 41) model.bos_id = as_int(field);
        if (field.number == 42) model.eos_id = as_int(field);
      });
    if (outer.number == 3)
      for_each_field(outer.text, where, [&](const Field& field) {
        if (field.number == 2) model.charsmap = field.text;
        if (field.number == 3) model.add_dummy_prefix = field.value != 0;
        if (field.number == 4) model.remove_extra_whitespaces = field.value != 0;
        if (field.number == 5) model.escape_whitespaces = field.value != 0;
      });
  });
  if (model.pieces.empty()) bad_input("{}: not a SentencePiece model: it has no pieces", where);
  return model;
}

namespace {

// What the pieces say, by id, for the models.
struct Tables {
  Vocabulary vocabulary;
  std::vector<float> scores;
  std::vector<bool> matchable;  // comes out of text: normal, user-defined and unused ones
  std::vector<bool> user_defined, unused;
};

Tables make_tables(const SentencePieceModel& model, std::string_view where) {
  Tables tables{Vocabulary(where), {}, {}, {}, {}};
  tables.vocabulary.reserve(model.pieces.size(), model.pieces.size() * 8);
  for (const auto& entry : model.pieces) {
    tables.vocabulary.add(entry.piece, static_cast<std::int64_t>(tables.scores.size()));
    tables.scores.push_back(entry.score);
    tables.matchable.push_back(entry.kind == PieceKind::kNormal ||
                               entry.kind == PieceKind::kUserDefined ||
                               entry.kind == PieceKind::kUnused);
    tables.user_defined.push_back(entry.kind == PieceKind::kUserDefined);
    tables.unused.push_back(entry.kind == PieceKind::kUnused);
  }
  return tables;
}

std::optional<Token> id_of_kind(const SentencePieceModel& model, std::int64_t id, PieceKind kind) {
  const bool fits = id >= 0 && id < static_cast<std::int64_t>(model.pieces.size()) &&
                    model.pieces[static_cast<std::size_t>(id)].kind == kind;
  return fits ? std::optional(static_cast<Token>(id)) : std::nullopt;
}

std::unique_ptr<Model> make_bpe(Tables tables, std::optional<Token> unknown, bool byte_fallback) {
  RankedTokens tokens{ranks_by_score(tables.scores, tables.matchable), tables.unused, {}};
  for (std::size_t id = 0; id < tables.scores.size(); ++id)
    if (tables.user_defined[id]) tokens.user_defined.push_back(static_cast<Token>(id));
  return std::make_unique<RankedBpeModel>(
      std::move(tables.vocabulary), std::move(tokens),
      RankedBpeOptions{.unknown = unknown, .byte_fallback = byte_fallback});
}

std::unique_ptr<Model> make_unigram(Tables tables, std::optional<Token> unknown,
                                    bool byte_fallback) {
  for (std::size_t id = 0; id < tables.scores.size(); ++id)
    tables.matchable[id] = tables.matchable[id] && !tables.unused[id];
  const UnigramOptions options{.unknown = unknown,
                               .byte_fallback = byte_fallback,
                               .single_precision = true,
                               .fuse_unknown_bytes = false};
  return std::make_unique<UnigramModel>(
      std::move(tables.vocabulary), std::vector<double>(tables.scores.begin(), tables.scores.end()),
      std::move(tables.matchable), std::move(tables.user_defined), options);
}

DecoderPtr make_decoder(bool drops_first_space) {
  std::vector<DecoderPtr> parts;
  parts.push_back(make_replace_decoder(make_literal_pattern("\xE2\x96\x81"), " "));
  parts.push_back(make_byte_fallback_decoder());
  parts.push_back(make_fuse_decoder());
  if (drops_first_space) parts.push_back(make_strip_decoder(' ', 1, 0));
  return make_decoder_sequence(std::move(parts));
}

}  // namespace

PipelineParts sentencepiece_parts(const SentencePieceModel& model, bool prefix_every_section,
                                  std::string_view where) {
  if (model.model_type != 1 && model.model_type != 2)
    unsupported("{}: SentencePiece models of type {} (1 is Unigram, 2 is BPE) are not supported",
                where, model.model_type);
  if (model.whitespace_as_suffix)
    unsupported("{}: SentencePiece models that treat whitespace as a suffix are not supported",
                where);
  PipelineParts parts;
  Tables tables = make_tables(model, where);
  std::vector<std::string> user_defined;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& entry = model.pieces[id];
    if (entry.kind == PieceKind::kUserDefined) user_defined.push_back(entry.piece);
    if (entry.kind != PieceKind::kControl && entry.kind != PieceKind::kUnknown) continue;
    if (entry.piece.size() > AddedTokens::kMaxBytes)
      bad_input("{}: a control piece of {} bytes; the limit is {}", where, entry.piece.size(),
                AddedTokens::kMaxBytes);
    if (!entry.piece.empty())
      parts.added.push_back(
          {.content = entry.piece, .id = static_cast<Token>(id), .special = true});
  }
  const auto unknown = id_of_kind(model, model.unknown_id, PieceKind::kUnknown);
  parts.normalizer =
      make_sentencepiece_normalizer({.charsmap = model.charsmap,
                                     .user_defined = std::move(user_defined),
                                     .add_dummy_prefix = model.add_dummy_prefix,
                                     .remove_extra_whitespaces = model.remove_extra_whitespaces,
                                     .escape_whitespaces = model.escape_whitespaces,
                                     .prefix_every_section = prefix_every_section},
                                    where);
  parts.model = model.model_type == 2
                    ? make_bpe(std::move(tables), unknown, model.byte_fallback)
                    : make_unigram(std::move(tables), unknown, model.byte_fallback);
  parts.decoder = make_decoder(model.add_dummy_prefix);
  parts.bos = id_of_kind(model, model.bos_id, PieceKind::kControl);
  if (parts.bos) parts.frame.before = {*parts.bos};
  if (const auto eos = id_of_kind(model, model.eos_id, PieceKind::kControl)) parts.eos = {*eos};
  return parts;
}

PipelineParts read_tokenizer_model(std::string_view bytes, std::string_view where) {
  if (looks_like_tiktoken(bytes)) return read_tiktoken(bytes, where);
  return sentencepiece_parts(parse_sentencepiece(bytes, where), false, where);
}

std::unique_ptr<Tokenizer> Tokenizer::from_sentencepiece(std::string_view model_bytes,
                                                         std::string_view where) {
  return std::make_unique<PipelineTokenizer>(read_tokenizer_model(model_bytes, where));
}

}  // namespace farthing::text
