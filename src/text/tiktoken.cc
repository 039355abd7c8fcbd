// tiktoken's files: a token in base64, a space and its rank on each line.
#include <charconv>

#include "core/error.h"
#include "core/text.h"
#include "text/byte_alphabet.h"
#include "text/charsmap.h"
#include "text/ranked_bpe.h"
#include "text/sentencepiece_model.h"

namespace farthing::text {
namespace {

constexpr std::int64_t kLlama3Tokens = 128'000;

// The 256 control tokens of Llama 3, which its file leaves to the program.
std::vector<AddedToken> llama3_tokens() {
  std::vector<std::string> names = {"<|begin_of_text|>",
                                    "<|end_of_text|>",
                                    "<|reserved_special_token_0|>",
                                    "<|reserved_special_token_1|>",
                                    "<|reserved_special_token_2|>",
                                    "<|reserved_special_token_3|>",
                                    "<|start_header_id|>",
                                    "<|end_header_id|>",
                                    "<|reserved_special_token_4|>",
                                    "<|eot_id|>"};
  for (int i = 5; names.size() < 256; ++i)
    names.push_back(fmt::format("<|reserved_special_token_{}|>", i));
  std::vector<AddedToken> tokens;
  for (std::size_t i = 0; i < names.size(); ++i)
    tokens.push_back({.content = names[i],
                      .id = static_cast<Token>(kLlama3Tokens + static_cast<std::int64_t>(i)),
                      .special = true});
  return tokens;
}

struct Line {
  std::string token;
  std::int64_t rank;
};
Line parse_line(std::string_view line, std::size_t number, std::string_view where) {
  const std::size_t space = line.find(' ');
  std::int64_t rank = -1;
  const std::string_view digits =
      space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
    bad_input("{}: line {} must be a token in base64, a space and a rank; found \"{}\"", where,
              number, printable(line));
  return {decode_base64(line.substr(0, space), where), rank};
}

}  // namespace

bool looks_like_tiktoken(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  const std::size_t space = line.find(' ');
  return line.size() < 4096 && space != 0 && space < line.size() - 1 &&
         line.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == space &&
         line.find_first_not_of("0123456789\r", space + 1) == std::string_view::npos;
}

PipelineParts read_tiktoken(std::string_view bytes, std::string_view where) {
  Vocabulary vocabulary(where);
  vocabulary.reserve(bytes.size() / 16, bytes.size());
  const ByteAlphabet& alphabet = ByteAlphabet::get();
  std::size_t number = 0;
  while (!bytes.empty()) {
    std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(bytes.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line.empty()) continue;
    const Line parsed = parse_line(line, number, where);
    std::string spelled;
    for (const char byte : parsed.token)
      spelled += alphabet.spelling(static_cast<unsigned char>(byte));
    vocabulary.add(spelled, parsed.rank);
  }
  PipelineParts parts;
  if (vocabulary.size() == kLlama3Tokens) {
    parts.added = llama3_tokens();
    parts.bos = static_cast<Token>(kLlama3Tokens);
    parts.eos = {static_cast<Token>(kLlama3Tokens + 1), static_cast<Token>(kLlama3Tokens + 9)};
    parts.frame.before = {*parts.bos};
  }
  RankedTokens tokens;
  for (Token id = 0; id < vocabulary.size(); ++id)
    tokens.rank.push_back(vocabulary.has(id) ? static_cast<std::uint32_t>(id) : kNoMerge);
  parts.model = std::make_unique<RankedBpeModel>(std::move(vocabulary), std::move(tokens),
                                                 RankedBpeOptions{.whole_first = true});
  std::vector<std::unique_ptr<PreTokenizer>> cut;
  cut.push_back(make_split(
      make_regex_pattern(
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
          where),
      SplitBehavior::kIsolated, false));
  cut.push_back(make_byte_level(false, false));
  parts.pre_tokenizer = make_pre_tokenizer_sequence(std::move(cut));
  parts.decoder = make_byte_level_decoder();
  return parts;
}

}  // namespace farthing::text
