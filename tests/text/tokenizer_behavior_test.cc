// What every tokenizer promises beyond its ids: special tokens, streams, invalid bytes, time.
#include "core/random.h"
#include "core/text.h"
#include "tests/text/tokenizer_files.h"
#include "text/merge.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

std::unique_ptr<Tokenizer> golden(const std::string& folder) {
  return Tokenizer::from_tokenizer_json(golden_file(folder + "/tokenizer.json"), folder);
}
std::unique_ptr<Tokenizer> sentencepiece(const std::string& folder) {
  return Tokenizer::from_sentencepiece(golden_file(folder + "/tokenizer.model"), folder);
}

TEST(SpecialTokens, InContentTheyAreOnlyCharacters) {
  const auto tokenizer = golden("llama3");
  const std::string text = "<|im_start|>system<|im_end|>";
  const Ids parsed = tokenizer->encode(text, {.add_special = false});
  EXPECT_EQ(parsed.front(), tokenizer->find("<|im_start|>"));
  EXPECT_EQ(parsed.back(), tokenizer->find("<|im_end|>"));
  const Ids content = tokenizer->encode(text, {.add_special = false, .parse_special = false});
  for (const Token id : content) EXPECT_FALSE(tokenizer->is_special(id)) << id;
  EXPECT_EQ(tokenizer->decode(content), text);
}

// "<s>" is a piece of these models, so that their own search would find it in any text.
TEST(SpecialTokens, NoModelFindsThemInContentByItself) {
  for (const std::string folder : {"sp_bpe", "sp_unigram", "sp_unigram_user"}) {
    const auto tokenizer = sentencepiece(folder);
    for (const Token id : tokenizer->encode("</s><s>", {false, false}))
      EXPECT_NE(id, tokenizer->find("</s>")) << folder;
  }
  const auto words = golden("word_level");
  EXPECT_EQ(words->encode("<unk>", {.add_special = false}), Ids{0});
}

TEST(SpecialTokens, ABarrierInsideOneKeepsItText) {
  const auto tokenizer = golden("llama3");
  const std::string text = "<s>a<s>b";
  const std::vector<std::size_t> inside_second = {5};
  const Ids ids = tokenizer->encode(text, {false, true, inside_second});
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 0), 1);
  EXPECT_EQ(tokenizer->decode(ids, false), text);
  const std::vector<std::size_t> at_edges = {4, 7};
  EXPECT_EQ(tokenizer->encode(text, {false, true, at_edges}), tokenizer->encode(text, {false}));
}

TEST(SpecialTokens, BarriersHoldForTokensThatAreSoughtInNormalisedText) {
  const auto tokenizer = golden("added_tokens");  // "<s>" is normalised there, the text lower-cased
  const Token s = *tokenizer->find("<s>");
  const std::string text = "\u00c5\u00c5<S>A\u030a<s>";
  const std::size_t second = text.rfind("<s>");
  const auto count = [&](const std::vector<std::size_t>& barriers) {
    const Ids ids = tokenizer->encode(text, {false, true, barriers});
    return std::count(ids.begin(), ids.end(), s);
  };
  EXPECT_EQ(count({}), 2);
  EXPECT_EQ(count({second + 1}), 1);
  EXPECT_EQ(count({5, second + 1}), 0);
  EXPECT_EQ(count({second}), 2);
}

TEST(SpecialTokens, BarriersKeepTheirPlaceWhenTheTextIsRepaired) {
  const auto tokenizer = golden("llama3");
  const std::string text = "\xFF\xFF<s>";
  const std::vector<std::size_t> inside = {3}, before = {2};
  const Ids ids = tokenizer->encode(text, {false, true, inside});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 0), 0);
  EXPECT_EQ(tokenizer->encode(text, {false, true, before}).back(), 0);
}

TEST(InvalidUtf8, IsReadAsPythonAndRustReadItLeniently) {
  const auto tokenizer = golden("gpt2");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\xFF", "\uFFFD"},
      {"a\x80z", "a\uFFFDz"},
      {"\xC3", "\uFFFD"},
      {"\xE4\xBD", "\uFFFD"},
      {"\xE4\xBDz", "\uFFFDz"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},  // an unpaired surrogate
      {"\xC0\xAF", "\uFFFD\uFFFD"},            // an overlong slash
      {"\xF0\x9F\x98z", "\uFFFDz"},
      {"\xF5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {std::string("a\0b", 3), std::string("a\0b", 3)}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(tokenizer->encode(bytes), tokenizer->encode(text)) << printable(bytes);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), text) << printable(bytes);
  }
}

TEST(InvalidUtf8, RandomBytesNeverBreakAnyKind) {
  Random random(5);
  for (const std::string folder : {"gpt2", "llama2_first", "unigram_bytes", "bert", "deepseek3",
                                   "o200k", "precompiled", "odd_pipeline", "added_tokens"}) {
    const auto tokenizer = golden(folder);
    for (int round = 0; round < 200; ++round) {
      std::string bytes(random.below(60), '\0');
      for (char& byte : bytes) byte = static_cast<char>(random.bits());
      const Ids ids = tokenizer->encode(bytes);
      for (const Token id : ids) ASSERT_LT(id, tokenizer->size());
      EXPECT_TRUE(is_utf8(tokenizer->decode(ids))) << folder;
      EXPECT_EQ(ids, tokenizer->encode(repair_utf8(bytes))) << folder;
    }
  }
}

TEST(StreamDecoder, GivesACharacterOnlyWhenItIsWhole) {
  const auto tokenizer = golden("gpt2");
  const std::string text = "a\u00e9\u4f60\U0001F600";
  StreamDecoder stream(*tokenizer);
  std::string shown;
  for (const Token id : tokenizer->encode(text)) {
    const std::string fresh = stream.push(id);
    EXPECT_TRUE(is_utf8(fresh)) << printable(fresh);
    shown += fresh;
  }
  EXPECT_EQ(shown, text);
  EXPECT_EQ(stream.finish(), "");
}

TEST(StreamDecoder, FinishGivesWhatWasHeldBack) {
  const auto tokenizer = golden("gpt2");
  Ids ids = tokenizer->encode("ok\U0001F600");
  ids.pop_back();  // the last byte of the face is missing
  StreamDecoder stream(*tokenizer);
  std::string shown;
  for (const Token id : ids) shown += stream.push(id);
  EXPECT_EQ(shown, "ok");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
  for (const Token id : tokenizer->encode("again")) shown += stream.push(id);
  EXPECT_EQ(shown, "okagain");
}

TEST(StreamDecoder, AReplacementBehindBytesKeepsTheStartOfACharacter) {
  const auto tokenizer = Tokenizer::from_tokenizer_json(
      R"({"model": {"type": "BPE", "merges": [], "vocab": {"a": 0, "\u00c3": 1, "\u00a9": 2}},)"
      R"( "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel"},)"
      R"( {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}]}})",
      "tokenizer.json");
  const auto streamed = [&](const Ids& ids) {
    StreamDecoder stream(*tokenizer);
    std::string shown;
    for (const Token id : ids) shown += stream.push(id);
    return shown + stream.finish();
  };
  EXPECT_EQ(streamed({0, 1, 2}), "b\u00e9");
  EXPECT_EQ(streamed({0, 1}), "b\uFFFD");
}

TEST(StreamDecoder, LeavesSpecialTokensOutButKeepsTheSpaceAfterThem) {
  const auto tokenizer = golden("llama2_legacy");
  const Ids ids = tokenizer->encode("one two</s> three");
  for (const bool skip : {true, false}) {
    StreamDecoder stream(*tokenizer, skip);
    std::string shown;
    for (const Token id : ids) shown += stream.push(id);
    EXPECT_EQ(shown + stream.finish(), tokenizer->decode(ids, skip));
  }
}

TEST(StreamDecoder, AnyBytesComeOutAsTheyAreDecodedTogether) {
  const auto tokenizer = golden("gpt2");
  Random random(9);
  for (int round = 0; round < 300; ++round) {
    Ids ids;
    for (std::uint64_t i = random.below(40); i > 0; --i)
      ids.push_back(static_cast<Token>(1 + random.below(256)));  // the bytes
    StreamDecoder stream(*tokenizer);
    std::string shown;
    for (const Token id : ids) shown += stream.push(id);
    EXPECT_EQ(shown + stream.finish(), tokenizer->decode(ids));
  }
}

// Quadratic work on these would take hours and be stopped by the test's time limit.
TEST(LongText, EveryKindTakesMuchOfTheSame) {
  const std::vector<std::string> units = {
      "a",  " ",       "\n", "1",   "^", "\u00e9", "\u0301", "\u4f60", "\U0001F468\u200D",
      "aA", "\u3042A", " a", "<s>", "'"};
  for (const std::string folder :
       {"gpt2", "llama3", "o200k", "deepseek3", "deepseek_llm", "bloom", "clip", "llama2_legacy",
        "unigram", "unigram_bytes", "bert", "precompiled", "added_tokens", "qwen2"}) {
    const auto tokenizer = golden(folder);
    for (const std::string& unit : units) {
      std::string text;
      while (text.size() < 200'000) text += unit;
      EXPECT_LE(tokenizer->encode(text).size(), text.size() + 2) << folder << " " << unit;
    }
  }
}

TEST(LongText, ATokenOfALongStreamCostsNoMoreThanTheFirst) {
  const auto tokenizer = golden("gpt2");
  StreamDecoder stream(*tokenizer);
  std::size_t shown = 0;
  for (int i = 0; i < 300'000; ++i) shown += stream.push(static_cast<Token>(1 + i % 90)).size();
  EXPECT_EQ(shown + stream.finish().size(), 300'000u);
}

// Merging as the definition says: look for the best pair of the whole row, again and again.
std::vector<Symbol> merge_slowly(std::vector<Symbol> symbols, const auto& lookup) {
  while (true) {
    std::size_t best = symbols.size();
    Merge merge;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      if (const Merge here = lookup(symbols[i], symbols[i + 1]); here.rank < merge.rank)
        best = i, merge = here;
    if (best == symbols.size()) return symbols;
    symbols[best] = {merge.id, symbols[best].begin,
                     symbols[best].length + symbols[best + 1].length};
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(MergeSymbols, ShortAndLongRowsMergeAsTheDefinitionSays) {
  Random random(3);
  for (int round = 0; round < 400; ++round) {
    // A random table of merges over a few ids, some of equal rank.
    std::map<std::pair<Token, Token>, Merge> table;
    for (int i = 0; i < 30; ++i)
      table[{static_cast<Token>(random.below(12)), static_cast<Token>(random.below(12))}] = {
          static_cast<std::uint32_t>(random.below(20)), static_cast<Token>(random.below(12))};
    const auto lookup = [&](const Symbol& a, const Symbol& b) {
      const auto found = table.find({a.id, b.id});
      return found == table.end() ? Merge{} : found->second;
    };
    std::vector<Symbol> symbols(1 + random.below(round % 2 == 0 ? 40 : 200));
    for (std::uint32_t i = 0; i < symbols.size(); ++i)
      symbols[i] = {static_cast<Token>(random.below(6)), i, 1};
    const std::vector<Symbol> expected = merge_slowly(symbols, lookup);
    symbols.resize(merge_symbols(symbols.data(), symbols.size(), lookup));
    ASSERT_EQ(symbols.size(), expected.size());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      EXPECT_EQ(symbols[i].id, expected[i].id);
      EXPECT_EQ(symbols[i].begin, expected[i].begin);
      EXPECT_EQ(symbols[i].length, expected[i].length);
    }
  }
}

}  // namespace
}  // namespace farthing::text
