// tokenizer.json and tokenizer.model as an enemy would write them: one clear sentence, no crash.
#include "core/text.h"
#include "tests/text/tokenizer_files.h"
#include "text/charsmap.h"
#include "text/sentencepiece_model.h"

namespace farthing::text {
namespace {

const std::string kPlain =
    R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})";

std::unique_ptr<Tokenizer> read(const std::string& json) {
  return Tokenizer::from_tokenizer_json(json, "tokenizer.json");
}
void refused(Fault fault, const std::string& part, const std::string& json) {
  SCOPED_TRACE(printable(json, 200));
  expect_fault(fault, part, [&] { read(json); });
}
std::string bpe(const std::string& vocab, const std::string& merges = "[]",
                const std::string& more = "") {
  return R"({"model": {"type": "BPE", "vocab": )" + vocab + R"(, "merges": )" + merges + "}" +
         more + "}";
}

TEST(HostileTokenizer, ThePlainOneIsRead) { EXPECT_EQ(read(kPlain)->encode("aba"), (Ids{2, 0})); }

TEST(HostileTokenizer, EveryTruncationIsRefused) {
  for (std::size_t length = 0; length < kPlain.size(); ++length)
    refused(Fault::kBadInput, "tokenizer.json", kPlain.substr(0, length));
}

TEST(HostileTokenizer, TextThatIsNotJson) {
  refused(Fault::kBadInput, "", "version https://git-lfs.github.com/spec/v1");
  refused(Fault::kBadInput, "", "\xEF\xBB\xBF" + kPlain);
  refused(Fault::kBadInput, "", kPlain + "x");
  refused(Fault::kBadInput, "", kPlain + kPlain);
  refused(Fault::kBadInput, "", std::string(1000, '['));
  refused(Fault::kBadInput, "", R"({"model": )" + std::string(100000, '[') + "}");
  refused(Fault::kBadInput, "", std::string(10, '\0'));
  refused(Fault::kBadInput, "model", "{}");
  refused(Fault::kBadInput, "model", R"({"model": 7})");
  refused(Fault::kBadInput, "", "[]");
}

TEST(HostileTokenizer, AKeyThatOccursTwice) {
  refused(Fault::kBadInput, "twice", R"({"model": {"vocab": {"a": 0}, "vocab": {"a": 0}}})");
  refused(Fault::kBadInput, "twice",
          R"({"model": {"vocab": {"a": 0}}, "model": {"vocab": {"a": 0}}})");
}

TEST(HostileTokenizer, AnEmptyVocabulary) {
  refused(Fault::kBadInput, "empty", bpe("{}"));
  refused(Fault::kBadInput, "vocab", bpe("null"));
  refused(Fault::kBadInput, "vocab", bpe("[]"));
  refused(Fault::kBadInput, "vocab", R"({"model": {"type": "Unigram", "vocab": []}})");
}

TEST(HostileTokenizer, IdsOutOfRangeOrTakenTwice) {
  refused(Fault::kBadInput, "-1", bpe(R"({"a": -1})"));
  refused(Fault::kBadInput, "ids run from 0", bpe(R"({"a": 2147483648})"));
  refused(Fault::kBadInput, "ids run from 0", bpe(R"({"a": 9223372036854775807})"));
  refused(Fault::kBadInput, "integer", bpe(R"({"a": 92233720368547758070})"));
  refused(Fault::kBadInput, "integer", bpe(R"({"a": 1.5})"));
  refused(Fault::kBadInput, "integers", bpe(R"({"a": "0"})"));
  refused(Fault::kBadInput, "belongs to both", bpe(R"({"a": 0, "b": 0})"));
  refused(Fault::kBadInput, "needs one", bpe(R"({"a": 0, "a": 1})"));
}

TEST(HostileTokenizer, HolesBetweenIdsAreAllowed) {
  const auto tokenizer = read(bpe(R"({"a": 0, "b": 70})"));
  EXPECT_EQ(tokenizer->size(), 71);
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{0, 70}));
  EXPECT_EQ(tokenizer->token_text(5), "");
  EXPECT_EQ(tokenizer->decode(Ids{0, 5, 70, 99, -4}), "a b");
}

TEST(HostileTokenizer, MergesOfTokensThatAreNotThere) {
  refused(Fault::kBadInput, "\"c\"", bpe(R"({"a": 0, "b": 1})", R"([["a", "c"]])"));
  refused(Fault::kBadInput, "\"ab\"", bpe(R"({"a": 0, "b": 1})", R"([["a", "b"]])"));
  refused(Fault::kBadInput, "merge 1", bpe(R"({"a": 0})", R"(["a"])"));
  refused(Fault::kBadInput, "merge 1", bpe(R"({"a": 0})", R"(["a a a"])"));
  refused(Fault::kBadInput, "merge 1", bpe(R"({"a": 0})", "[7]"));
  refused(Fault::kBadInput, "", bpe(R"({"a": 0})", R"([["a", "a", "a"]])"));
  refused(Fault::kBadInput, "array", bpe(R"({"a": 0})", R"({"a": "b"})"));
}

// tokenizers #2094: the parts of a merge are longer together than any token.
TEST(HostileTokenizer, AMergeLongerThanTheLongestToken) {
  refused(Fault::kBadInput, "which the vocabulary lacks",
          bpe(R"({"aaaa": 0, "bbbb": 1})", R"([["aaaa", "bbbb"]])"));
}

TEST(HostileTokenizer, ATokenOfAMegabyte) {
  const std::string huge(1 << 20, 'a');
  refused(Fault::kBadInput, "the limit is", bpe("{\"" + huge + "\": 0}"));
  refused(Fault::kBadInput, "the limit is",
          bpe(R"({"a": 0})", "[]", R"(, "added_tokens": [{"id": 1, "content": ")" + huge + "\"}]"));
}

TEST(HostileTokenizer, TokensThatAreNotUtf8) {
  refused(Fault::kBadInput, "UTF-8", bpe("{\"\xFF\": 0}"));
  refused(Fault::kBadInput, "UTF-8", bpe("{\"\xED\xA0\x80\": 0}"));
  refused(Fault::kBadInput, "surrogate", bpe(R"({"\ud800": 0})"));
  refused(Fault::kBadInput, "surrogate", bpe(R"({"\ud800\u0041": 0})"));
}

TEST(HostileTokenizer, ByteTokensThatAreNone) {
  const std::string odd =
      R"({"type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "merges": [], "vocab": )"
      R"({"<unk>": 0, "<0x-1>": 1, "<0xGG>": 2, "<0x100>": 3, "<0xe9>": 4, "<0x41>": 5}})";
  const auto tokenizer = read(R"({"model": )" + odd + R"(, "decoder": {"type": "ByteFallback"}})");
  EXPECT_EQ(tokenizer->encode("A\u00e9"), (Ids{5, 0}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 2, 3, 5}), "<0x-1><0xGG><0x100>A");
}

TEST(HostileTokenizer, ByteFallbackWithBytesMissing) {
  const std::string json =
      R"({"model": {"type": "BPE", "byte_fallback": true, "merges": [], "vocab": {"<0xC3>": 0}}})";
  EXPECT_EQ(read(json)->encode("\u00e9"), Ids{});  // no unk_token: unknown characters vanish
  EXPECT_EQ(read(json)->decode(Ids{0}), "<0xC3>");
}

TEST(HostileTokenizer, AnUnknownTokenThatIsNotThere) {
  const auto tokenizer =
      read(R"({"model": {"type": "BPE", "unk_token": "<unk>", "merges": [], "vocab": {"a": 0}}})");
  EXPECT_EQ(tokenizer->encode("a"), Ids{0});
  expect_fault(Fault::kBadInput, "unk_token", [&] { tokenizer->encode("z"); });
}

TEST(HostileTokenizer, AddedTokensThatCollide) {
  const auto added = [](const std::string& tokens) {
    return bpe(R"({"a": 0, "b": 1})", "[]", R"(, "added_tokens": )" + tokens);
  };
  refused(Fault::kBadInput, "belongs to", added(R"([{"id": 1, "content": "<s>"}])"));
  refused(Fault::kBadInput, "the vocabulary gives it 0", added(R"([{"id": 5, "content": "a"}])"));
  refused(Fault::kBadInput, "both",
          added(R"([{"id": 5, "content": "x"}, {"id": 5, "content": "y"}])"));
  refused(Fault::kBadInput, "both",
          added(R"([{"id": 5, "content": "x"}, {"id": 6, "content": "x"}])"));
  refused(Fault::kBadInput, "ids run from 0", added(R"([{"id": -5, "content": "x"}])"));
  refused(Fault::kBadInput, "ids run from 0", added(R"([{"id": 99999999999, "content": "x"}])"));
  refused(Fault::kBadInput, "array", added("7"));
  refused(Fault::kBadInput, "\"content\"", added(R"([{"id": 5}])"));
  refused(Fault::kBadInput, "\"special\"", added(R"([{"id": 5, "content": "x", "special": 1}])"));
}

TEST(HostileTokenizer, PartsOfAnUnknownType) {
  const auto with = [](const std::string& part) { return bpe(R"({"a": 0})", "[]", ", " + part); };
  refused(Fault::kUnsupported, "pre-tokenizer \"Magic\"",
          with(R"("pre_tokenizer": {"type": "Magic"})"));
  refused(Fault::kUnsupported, "normalizer \"Magic\"", with(R"("normalizer": {"type": "Magic"})"));
  refused(Fault::kUnsupported, "decoder \"Magic\"", with(R"("decoder": {"type": "Magic"})"));
  refused(Fault::kUnsupported, "post-processor \"Magic\"",
          with(R"("post_processor": {"type": "Magic"})"));
  refused(Fault::kUnsupported, "model \"Magic\"",
          R"({"model": {"type": "Magic", "vocab": {"a": 0}}})");
  refused(Fault::kUnsupported, "split behavior \"Sideways\"",
          with(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, )"
               R"("behavior": "Sideways"})"));
  refused(Fault::kBadInput, "\"type\"", with(R"("pre_tokenizer": {})"));
  refused(Fault::kBadInput, "pattern",
          with(R"("pre_tokenizer": {"type": "Split", "pattern": "a", "behavior": "Isolated"})"));
  refused(Fault::kBadInput, "one character",
          with(R"("decoder": {"type": "Strip", "content": "ab", "start": 1, "stop": 0})"));
  refused(Fault::kBadInput, "\"stop\"",
          with(R"("decoder": {"type": "Strip", "content": "a", "start": 1, "stop": -3})"));
}

TEST(HostileTokenizer, TemplatesThatUseWhatTheyDoNotDefine) {
  const auto with = [](const std::string& single, const std::string& table = "{}") {
    return bpe(R"({"a": 0})", "[]",
               R"(, "post_processor": {"type": "TemplateProcessing", "single": )" + single +
                   R"(, "pair": [], "special_tokens": )" + table + "}");
  };
  refused(Fault::kBadInput, "\"<s>\"",
          with(R"([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}])"));
  refused(Fault::kUnsupported, "0 times", with("[]"));
  refused(Fault::kUnsupported, "2 times", with(R"([{"Sequence": {}}, {"Sequence": {}}])"));
  refused(Fault::kBadInput, "neither", with(R"([{"Surprise": {}}])"));
  refused(Fault::kBadInput, "ids run from 0",
          with(R"([{"SpecialToken": {"id": "s"}}, {"Sequence": {}}])", R"({"s": {"ids": [-1]}})"));
}

TEST(HostileTokenizer, ATemplateThatPutsAMillionTokensBesideTheText) {
  std::string ids = "0", uses;
  for (int i = 1; i < 1000; ++i) ids += ",0";
  for (int i = 0; i < 1000; ++i) uses += R"({"SpecialToken": {"id": "s"}}, )";
  refused(Fault::kBadInput, "more than 1024 tokens",
          bpe(R"({"a": 0})", "[]",
              R"(, "post_processor": {"type": "TemplateProcessing", "single": [)" + uses +
                  R"({"Sequence": {}}], "special_tokens": {"s": {"ids": [)" + ids + "]}}}"));
}

TEST(HostileTokenizer, APatternThatBacktracksWithoutBoundIsStopped) {
  const auto tokenizer =
      read(bpe(R"({"a": 0, "b": 1})", "[]",
               R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, )"
               R"("behavior": "Isolated"})"));
  EXPECT_EQ(tokenizer->encode("aab"), (Ids{0, 0, 1}));
  expect_fault(Fault::kBadInput, "too many steps",
               [&] { tokenizer->encode(std::string(50, 'a') + "b"); });
}

TEST(HostileTokenizer, PatternsThatMeanSomethingElseToPcreAreRefused) {
  const auto with = [](const std::string& pattern) {
    return bpe(R"({"a": 0})", "[]",
               R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": ")" + pattern +
                   R"("}, "behavior": "Isolated"})");
  };
  refused(Fault::kUnsupported, "set inside", with("[a-z&&[^b]]+"));
  refused(Fault::kUnsupported, "set inside", with("[a[bc]]"));
  refused(Fault::kUnsupported, "not understood", with("((((("));
  refused(Fault::kUnsupported, "not understood", with("*"));
  refused(Fault::kUnsupported, "not understood", with("[a"));
}

TEST(HostileTokenizer, ANormaliserThatExplodesIsStopped) {
  std::string steps;
  for (int i = 0; i < 40; ++i)
    steps += std::string(i > 0 ? ", " : "") +
             R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaa"})";
  const auto tokenizer =
      read(bpe(R"({"a": 0})", "[]",
               R"(, "normalizer": {"type": "Sequence", "normalizers": [)" + steps + "]}"));
  expect_fault(Fault::kBadInput, "normaliser", [&] { tokenizer->encode("aaaaaaaa"); });
}

TEST(HostileTokenizer, AnAddedTokenThatExplodesWhenNormalisedIsRefused) {
  refused(Fault::kBadInput, "normaliser",
          bpe(R"({"a": 0})", "[]",
              R"(, "added_tokens": [{"id": 1, "content": "bb", "normalized": true}], )"
              R"("normalizer": {"type": "Replace", "pattern": {"String": "b"}, "content": ")" +
                  std::string(20'000, 'c') + "\"}"));
}

TEST(HostileTokenizer, APreTokenizerThatExplodesIsStopped) {
  std::string steps = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
  for (int i = 0; i < 5; ++i) steps += ", " + steps;  // 32, each doubles a letter of two bytes
  const auto tokenizer =
      read(bpe(R"({"a": 0})", "[]",
               R"(, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [)" + steps + "]}"));
  EXPECT_EQ(tokenizer->encode("a"), Ids{0});
  expect_fault(Fault::kBadInput, "pre-tokenizer", [&] { tokenizer->encode("\u00e9"); });
}

TEST(HostileTokenizer, ADecoderThatExplodesIsStopped) {
  const std::string step =
      R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaa"})";
  std::string steps = R"({"type": "Sequence", "decoders": [)" + step + "]}";
  for (int i = 0; i < 40; ++i) steps += ", " + step;
  const auto tokenizer = read(bpe(
      R"({"a": 0})", "[]", R"(, "decoder": {"type": "Sequence", "decoders": [)" + steps + "]}"));
  expect_fault(Fault::kBadInput, "decoder", [&] { tokenizer->decode(Ids{0}); });
}

// The trie of a map that makes `replacement` of one byte (darts-clone's units).
Charsmap map_of(unsigned char byte, const std::string& replacement) {
  std::vector<std::uint32_t> units(512, 0);
  const std::uint32_t root = 256, node = root ^ byte, leaf = 1;
  units[0] = root << 10;
  units[node] = byte | 1u << 8 | leaf << 10;
  units[node ^ leaf] = 0;  // where the string begins
  const auto size = static_cast<std::uint32_t>(units.size() * 4);
  std::string bytes(reinterpret_cast<const char*>(&size), 4);
  bytes.append(reinterpret_cast<const char*>(units.data()), size);
  return {bytes + replacement + '\0', "map"};
}
std::string mapped(const Charsmap& map, const std::string& text) {
  NormalText normal{text, true};
  make_precompiled(map)->apply(normal);
  return normal.text;
}

// What reads the text afterwards takes UTF-8 for granted.
TEST(HostileTokenizer, ACharacterMapReplacesWholeCharactersByUtf8) {
  EXPECT_EQ(mapped(map_of('a', "\u00e9"), "banana"), "b\u00e9n\u00e9n\u00e9");
  EXPECT_EQ(mapped(map_of('a', "\xFF"), "banana"), "banana");
  EXPECT_EQ(mapped(map_of('a', "\xC3"), "ba"), "ba");
  EXPECT_EQ(mapped(map_of(0xC3, "x"), "caf\u00e9"), "caf\u00e9");
}

TEST(HostileTokenizer, CharacterMapsThatExplodeAreStopped) {
  const Charsmap map = map_of('a', std::string(256, 'a'));
  std::vector<NormalizerPtr> steps;
  for (int i = 0; i < 8; ++i) steps.push_back(make_precompiled(map));
  NormalText text{"a", true};
  const NormalizerPtr chain = make_normalizer_sequence(std::move(steps));
  expect_fault(Fault::kBadInput, "normaliser", [&] { chain->apply(text); });
}

TEST(HostileTokenizer, ACharacterMapThatPointsOutsideItself) {
  // u32 size, trie units, strings: sizes that lie, then units full of ones.
  const auto with = [](const std::string& base64) {
    return bpe(
        R"({"a": 0})", "[]",
        R"(, "normalizer": {"type": "Precompiled", "precompiled_charsmap": ")" + base64 + "\"}");
  };
  refused(Fault::kBadInput, "precompiled_charsmap", with("AAA="));
  refused(Fault::kBadInput, "precompiled_charsmap", with("/////w=="));
  refused(Fault::kBadInput, "multiple of 4", with("AgAAAAAA"));
  refused(Fault::kBadInput, "base64", with("****"));
  const auto tokenizer = read(with("CAAAAP//////////AAAA"));
  EXPECT_EQ(tokenizer->encode("a"), Ids{0});
}

TEST(HostileTokenizer, UnigramScoresThatAreNoNumbers) {
  const auto unigram = [](const std::string& vocab, const std::string& more = "") {
    return R"({"model": {"type": "Unigram", "vocab": )" + vocab + more + "}}";
  };
  refused(Fault::kBadInput, "finite number", unigram(R"([["a", "x"]])"));
  refused(Fault::kBadInput, "finite number", unigram(R"([["a", 1e999]])"));
  refused(Fault::kBadInput, "not valid JSON", unigram(R"([["a", nan]])"));
  refused(Fault::kBadInput, "", unigram(R"([["a"]])"));
  refused(Fault::kBadInput, "", unigram(R"([7])"));
  refused(Fault::kBadInput, "needs one", unigram(R"([["a", 0], ["a", 1]])"));
  refused(Fault::kBadInput, "unk_id is 9", unigram(R"([["a", 0]])", R"(, "unk_id": 9)"));
  const auto without_unknown = read(unigram(R"([["a", 0]])"));
  expect_fault(Fault::kBadInput, "unk_id", [&] { without_unknown->encode("z"); });
}

TEST(HostileTokenizer, EveryTruncationOfASentencePieceModelIsRefusedOrRead) {
  const std::string model = golden_file("sp_bpe/tokenizer.model");
  for (std::size_t length = 0; length < model.size(); length += 1 + length / 40) {
    try {
      Tokenizer::from_sentencepiece(std::string_view(model).substr(0, length), "m")->encode("ab");
    } catch (const Error& error) {
      EXPECT_NE(error.fault, Fault::kInternal) << error.what();
    }
  }
}

TEST(HostileTokenizer, EveryBrokenByteOfASentencePieceModelIsRefusedOrRead) {
  const std::string model = golden_file("sp_unigram_user/tokenizer.model");
  for (std::size_t at = 0; at < model.size(); at += 7) {
    std::string broken = model;
    broken[at] = static_cast<char>(broken[at] ^ (1 << (at / 7 % 8)));
    try {
      Tokenizer::from_sentencepiece(broken, "m")->encode("Hello  world \u4f60");
    } catch (const Error& error) {
      EXPECT_NE(error.fault, Fault::kInternal) << error.what();
    }
  }
}

TEST(HostileTokenizer, SentencePieceModelsOfOtherKindsSayWhichTheyAre) {
  SentencePieceModel model;
  model.pieces = {{"<unk>", 0, PieceKind::kUnknown}, {"a", 0, PieceKind::kNormal}};
  model.model_type = 3;
  expect_fault(Fault::kUnsupported, "type 3", [&] { sentencepiece_parts(model, false, "m"); });
  expect_fault(Fault::kBadInput, "no pieces", [&] { parse_sentencepiece("", "m"); });
  expect_fault(Fault::kBadInput, "", [&] { parse_sentencepiece("<!DOCTYPE html>", "m"); });
}

}  // namespace
}  // namespace farthing::text
