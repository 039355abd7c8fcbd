// Normalisers, pre-tokenizers and decoders of a tokenizer.json: one table row a type.
#include <array>
#include <span>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "text/charsmap.h"
#include "text/json_parts.h"

namespace farthing::text {
namespace {

template <class Result>
struct Row {
  std::string_view type;
  Result (*read)(const Json& part, std::string_view where);
};

template <class Result, std::size_t count>
Result read_by_type(const Json& part, std::string_view kind, const Row<Result> (&rows)[count],
                    std::string_view where) {
  const std::string type = json_text(part, "type", where);
  std::array<std::string_view, count> known;
  for (std::size_t i = 0; i < count; ++i) {
    if (rows[i].type == type) return rows[i].read(part, where);
    known[i] = rows[i].type;
  }
  unknown_type(kind, type, known, where);
}

template <class Result>
std::vector<Result> read_list(const Json& part, std::string_view key,
                              Result (*read)(const Json&, std::string_view),
                              std::string_view where) {
  const Json* list = json_find(part, key);
  if (list == nullptr || !list->is_array())
    bad_input("{}: a Sequence needs the array \"{}\"", where, key);
  std::vector<Result> parts;
  for (const Json& inner : *list)
    if (!inner.is_null()) parts.push_back(read(inner, where));
  return parts;
}

std::size_t read_count(const Json& part, std::string_view key, std::int64_t otherwise,
                       std::string_view where) {
  const std::int64_t value = json_int(part, key, otherwise, where);
  if (value < 0 || value > 1 << 20)
    bad_input("{}: \"{}\" must be from 0 to {}; found {}", where, key, 1 << 20, value);
  return static_cast<std::size_t>(value);
}

constexpr Row<NormalizerPtr> kNormalizers[] = {
    {"NFC", [](const Json&, std::string_view) { return make_form({false, true}); }},
    {"NFD", [](const Json&, std::string_view) { return make_form({false, false}); }},
    {"NFKC", [](const Json&, std::string_view) { return make_form({true, true}); }},
    {"NFKD", [](const Json&, std::string_view) { return make_form({true, false}); }},
    {"Lowercase", [](const Json&, std::string_view) { return make_lowercase(); }},
    {"StripAccents", [](const Json&, std::string_view) { return make_strip_accents(); }},
    {"Nmt", [](const Json&, std::string_view) { return make_nmt(); }},
    {"ByteLevel", [](const Json&, std::string_view) { return make_byte_level_normalizer(); }},
    {"Strip",
     [](const Json& part, std::string_view where) {
       return make_strip(json_bool(part, "strip_left", true, where),
                         json_bool(part, "strip_right", true, where));
     }},
    {"Replace",
     [](const Json& part, std::string_view where) {
       return make_replace(read_pattern(part, where), json_text(part, "content", where));
     }},
    {"Prepend",
     [](const Json& part, std::string_view where) {
       return make_prepend(json_text(part, "prepend", where));
     }},
    {"Precompiled",
     [](const Json& part, std::string_view where) {
       const Json* map = json_find(part, "precompiled_charsmap");
       if (map == nullptr || map->is_null()) return make_normalizer_sequence({});
       return make_precompiled(
           Charsmap(decode_base64(json_text(part, "precompiled_charsmap", where), where), where));
     }},
    {"BertNormalizer",
     [](const Json& part, std::string_view where) {
       const bool lowercase = json_bool(part, "lowercase", true, where);
       return make_bert_normalizer(
           {.clean_text = json_bool(part, "clean_text", true, where),
            .handle_chinese = json_bool(part, "handle_chinese_chars", true, where),
            .strip_accents = json_bool(part, "strip_accents", lowercase, where),
            .lowercase = lowercase});
     }},
    {"Sequence",
     [](const Json& part, std::string_view where) {
       return make_normalizer_sequence(read_list(part, "normalizers", read_normalizer, where));
     }},
};

SplitBehavior read_behavior(const Json& part, std::string_view otherwise, std::string_view where) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  const std::string name = json_text(part, "behavior", otherwise, where);
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<SplitBehavior>(i);
  unknown_type("split behavior", name, kNames, where);
}

PrependScheme read_scheme(const Json& part, std::string_view where) {
  static constexpr std::array<std::string_view, 3> kNames = {"always", "first", "never"};
  if (!json_bool(part, "add_prefix_space", true, where)) return PrependScheme::kNever;
  const std::string name = json_text(part, "prepend_scheme", "always", where);
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<PrependScheme>(i);
  unknown_type("prepend_scheme", name, kNames, where);
}

std::unique_ptr<PreTokenizer> bert_pre_tokenizer() {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  parts.push_back(make_whitespace_split());
  parts.push_back(make_punctuation(SplitBehavior::kIsolated));
  return make_pre_tokenizer_sequence(std::move(parts));
}

constexpr Row<std::unique_ptr<PreTokenizer>> kPreTokenizers[] = {
    {"ByteLevel",
     [](const Json& part, std::string_view where) {
       return make_byte_level(json_bool(part, "add_prefix_space", true, where),
                              json_bool(part, "use_regex", true, where));
     }},
    {"Split",
     [](const Json& part, std::string_view where) {
       return make_split(read_pattern(part, where), read_behavior(part, "Isolated", where),
                         json_bool(part, "invert", false, where));
     }},
    {"Metaspace",
     [](const Json& part, std::string_view where) {
       return make_metaspace(read_character(part, "replacement", 0x2581, where),
                             read_scheme(part, where), json_bool(part, "split", true, where));
     }},
    {"Whitespace", [](const Json&, std::string_view) { return make_whitespace(); }},
    {"WhitespaceSplit", [](const Json&, std::string_view) { return make_whitespace_split(); }},
    {"Punctuation",
     [](const Json& part, std::string_view where) {
       return make_punctuation(read_behavior(part, "Isolated", where));
     }},
    {"Digits",
     [](const Json& part, std::string_view where) {
       return make_digits(json_bool(part, "individual_digits", false, where));
     }},
    {"BertPreTokenizer", [](const Json&, std::string_view) { return bert_pre_tokenizer(); }},
    {"CharDelimiterSplit",
     [](const Json& part, std::string_view where) {
       return make_delimiter(read_character(part, "delimiter", ' ', where));
     }},
    {"FixedLength",
     [](const Json& part, std::string_view where) {
       const std::size_t length = read_count(part, "length", 5, where);
       if (length == 0) bad_input("{}: FixedLength needs a length above 0", where);
       return make_fixed_length(length);
     }},
    {"Sequence",
     [](const Json& part, std::string_view where) {
       return make_pre_tokenizer_sequence(
           read_list(part, "pretokenizers", read_pre_tokenizer, where));
     }},
};

constexpr Row<DecoderPtr> kDecoders[] = {
    {"ByteLevel", [](const Json&, std::string_view) { return make_byte_level_decoder(); }},
    {"ByteFallback", [](const Json&, std::string_view) { return make_byte_fallback_decoder(); }},
    {"Fuse", [](const Json&, std::string_view) { return make_fuse_decoder(); }},
    {"Metaspace",
     [](const Json& part, std::string_view where) {
       return make_metaspace_decoder(read_character(part, "replacement", 0x2581, where),
                                     read_scheme(part, where) != PrependScheme::kNever);
     }},
    {"WordPiece",
     [](const Json& part, std::string_view where) {
       return make_word_piece_decoder(json_text(part, "prefix", "##", where),
                                      json_bool(part, "cleanup", true, where));
     }},
    {"BPEDecoder",
     [](const Json& part, std::string_view where) {
       return make_bpe_decoder(json_text(part, "suffix", "</w>", where));
     }},
    {"Strip",
     [](const Json& part, std::string_view where) {
       return make_strip_decoder(read_character(part, "content", ' ', where),
                                 read_count(part, "start", 0, where),
                                 read_count(part, "stop", 0, where));
     }},
    {"Replace",
     [](const Json& part, std::string_view where) {
       return make_replace_decoder(read_pattern(part, where), json_text(part, "content", where));
     }},
    {"CTC",
     [](const Json& part, std::string_view where) {
       return make_ctc_decoder(json_text(part, "pad_token", "<pad>", where),
                               json_text(part, "word_delimiter_token", "|", where),
                               json_bool(part, "cleanup", true, where));
     }},
    {"Sequence",
     [](const Json& part, std::string_view where) {
       return make_decoder_sequence(read_list(part, "decoders", read_decoder, where));
     }},
};

}  // namespace

NormalizerPtr read_normalizer(const Json& part, std::string_view where) {
  return part.is_null() ? nullptr : read_by_type(part, "normalizer", kNormalizers, where);
}
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& part, std::string_view where) {
  return part.is_null() ? nullptr : read_by_type(part, "pre-tokenizer", kPreTokenizers, where);
}
DecoderPtr read_decoder(const Json& part, std::string_view where) {
  return part.is_null() ? nullptr : read_by_type(part, "decoder", kDecoders, where);
}

}  // namespace farthing::text
