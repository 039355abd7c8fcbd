// Which file a tokenizer is read from, and what the files beside it add.
#include "tests/text/tokenizer_files.h"

namespace farthing::text {
namespace {

constexpr EncodeOptions kPlain = {.add_special = false};

TEST(TokenizerLoad, ACheckpointWithoutVocabularyHasNoTokenizer) {
  EXPECT_EQ(Tokenizer::load(TextFiles(Files{})), nullptr);
  EXPECT_EQ(Tokenizer::load(TextFiles(Files{{"vocab.json", R"({"a": 0})"}})), nullptr);
}

TEST(TokenizerLoad, BosAndEosComeFromAllFilesTogether) {
  const TextFiles files(
      {{"tokenizer.json", golden_file("llama3/tokenizer.json")},
       {"tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}})"},
       {"generation_config.json", R"({"eos_token_id": [1, 3]})"}},
      {{"eos_token_id", 1}, {"bos_token_id", 2}});
  const auto tokenizer = Tokenizer::load(files);
  EXPECT_EQ(tokenizer->bos(), 0);
  EXPECT_EQ(tokenizer->eos(), (Ids{1, 3}));
}

TEST(TokenizerLoad, TheModelsConfigFillsInWhatTheTokenizerLeavesOpen) {
  const TextFiles files({{"tokenizer.json", golden_file("llama3/tokenizer.json")}},
                        {{"eos_token_id", 1}, {"bos_token_id", 0}});
  const auto tokenizer = Tokenizer::load(files);
  EXPECT_EQ(tokenizer->bos(), 0);
  EXPECT_EQ(tokenizer->eos(), Ids{1});
}

TEST(TokenizerLoad, SpecialTokensMapStandsInForTokenizerConfig) {
  const TextFiles files({{"tokenizer.json", golden_file("llama3/tokenizer.json")},
                         {"special_tokens_map.json", R"({"eos_token": "<|im_end|>"})"}});
  EXPECT_EQ(Tokenizer::load(files)->eos(), Ids{3});
}

TEST(TokenizerLoad, AddedTokensDecoderAddsTokensAndItsFlagsWin) {
  const TextFiles files({{"tokenizer.json", golden_file("llama3/tokenizer.json")},
                         {"tokenizer_config.json", R"({"added_tokens_decoder": {
      "2": {"content": "<|im_start|>", "special": true, "rstrip": true},
      "700": {"content": "<tool>", "special": false}}})"}});
  const auto tokenizer = Tokenizer::load(files);
  EXPECT_EQ(tokenizer->find("<tool>"), 700);
  EXPECT_EQ(tokenizer->size(), 701);
  EXPECT_EQ(tokenizer->encode("<|im_start|>  <tool>", kPlain), (Ids{2, 700}));
  EXPECT_TRUE(tokenizer->is_special(2));
  EXPECT_FALSE(tokenizer->is_special(700));
}

// transformers 5.23: with a tokenizer.json its post-processor decides.
TEST(TokenizerLoad, AddBosTokenCountsOnlyWithoutATokenizerJson) {
  const std::string config =
      R"({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true})";
  const TextFiles json({{"tokenizer.json", golden_file("llama3/tokenizer.json")},
                        {"tokenizer_config.json", config}});
  EXPECT_EQ(Tokenizer::load(json)->encode(""), Ids{0});
  const TextFiles model({{"tokenizer.model", golden_file("sp_bpe/tokenizer.model")},
                         {"tokenizer_config.json", config}});
  EXPECT_EQ(Tokenizer::load(model)->encode(""), Ids{2});
}

TEST(TokenizerLoad, TheClassLlamaTokenizerPutsASpaceOnlyWhereTheTextBegins) {
  const std::string config = R"({"tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>"})";
  const std::string json = golden_file("llama2_legacy/tokenizer.json");
  const Json llama = {{"model_type", "llama"}};
  const TextFiles rebuilt({{"tokenizer.json", json}, {"tokenizer_config.json", config}}, llama);
  const TextFiles as_written({{"tokenizer.json", json}}, llama);
  const auto first = Tokenizer::load(rebuilt), always = Tokenizer::load(as_written);
  const auto texts = [](const Tokenizer& tokenizer, std::string_view text) {
    std::string joined;
    for (const Token id : tokenizer.encode(text, kPlain)) joined += tokenizer.token_text(id) + "|";
    return joined;
  };
  EXPECT_EQ(texts(*always, "a</s>a"), "\u2581|a|</s>|\u2581|a|");
  EXPECT_EQ(texts(*first, "a</s>a"), "\u2581|a|</s>|a|");
  EXPECT_EQ(first->decode(first->encode("a</s>a")), "aa");
}

TEST(TokenizerLoad, VocabAndMergesMakeAByteLevelTokenizer) {
  const Json file = parse_json(golden_file("gpt2/tokenizer.json"), "gpt2");
  std::string merges = "#version: 0.2\n";
  for (const Json& merge : file["model"]["merges"])
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\r\n";
  const TextFiles files({{"vocab.json", file["model"]["vocab"].dump()},
                         {"merges.txt", merges},
                         {"tokenizer_config.json", R"({"unk_token": "<|endoftext|>"})"}});
  const auto tokenizer = Tokenizer::load(files);
  const auto original =
      Tokenizer::from_tokenizer_json(golden_file("gpt2/tokenizer.json"), "original");
  for (const Json& text : parse_json(golden_file("texts.json"), "texts"))
    EXPECT_EQ(tokenizer->encode(text.get<std::string>()),
              original->encode(text.get<std::string>()));
}

// Ids by transformers 5.23 from the two files alone, with a vocabulary cut to these tokens.
TEST(TokenizerLoad, VocabAndMergesAloneNameTheTokenThatEndsAText) {
  const auto ids = [](std::string_view config) {
    const TextFiles files(
        Files{{"vocab.json",
               R"({"a": 0, "b": 1, "<": 2, "|": 3, "e": 4, "n": 5, "d": 6, "o": 7, "f": 8, "t": 9,
                   "x": 10, ">": 11, "<|endoftext|>": 12, "/": 13, "s": 14})"},
              {"merges.txt", "#version: 0.2\n"},
              {"tokenizer_config.json", std::string(config)}});
    const auto tokenizer = Tokenizer::load(files);
    return tokenizer->encode("a<|endoftext|>b</s>");
  };
  EXPECT_EQ(ids("{}"), (std::vector<Token>{0, 12, 1, 2, 13, 14, 11}));
  EXPECT_EQ(ids(R"({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})"),
            (std::vector<Token>{0, 2, 3, 4, 5, 6, 7, 8, 9, 4, 10, 9, 3, 11, 1, 16}));
}

TEST(TokenizerLoad, AListOfScoredPiecesIsASentencePieceVocabulary) {
  const TextFiles files(Files{{"vocab.json", R"([
      {"id": 0, "piece": "<unk>", "score": 0}, {"id": 1, "piece": "\n<s>\n", "score": 0},
      {"id": 2, "piece": "\n</s>\n", "score": 0}, {"id": 3, "piece": "<0x0A>", "score": 0},
      {"id": 4, "piece": " ", "score": -9}, {"id": 5, "piece": "a", "score": -9},
      {"id": 6, "piece": "b", "score": -9}, {"id": 7, "piece": " a", "score": -1},
      {"id": 8, "piece": "ab", "score": -2}])"}});
  const auto tokenizer = Tokenizer::load(files);
  EXPECT_EQ(tokenizer->encode("ab a\nab"), (Ids{1, 7, 6, 7, 3, 8}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("ab a\nab")), "ab a\nab");
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), Ids{2});
}

TEST(TokenizerLoad, AListOfCharactersIsAVocabulary) {
  const auto tokenizer =
      Tokenizer::load(TextFiles(Files{{"chars.json", R"(["\n", "a", "\u00e9"])"}}));
  EXPECT_EQ(tokenizer->encode("a\n\u00e9"), (Ids{1, 0, 2}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 0, 2}), "a\n\u00e9");
  expect_fault(Fault::kBadInput, "no token covers", [&] { tokenizer->encode("z"); });
}

TEST(TokenizerLoad, ATiktokenFileIsReadAsOne) {
  // "a" 0, "b" 1, " " 2, "ab" 3, "é" in two bytes 4 and 5, " a" 6
  const auto tokenizer = Tokenizer::from_sentencepiece(
      "YQ== 0\nYg== 1\nIA== 2\nYWI= 3\nww== 4\nqQ== 5\nIGE= 6\n", "tokenizer.model");
  EXPECT_EQ(tokenizer->encode("ab ab\u00e9"), (Ids{3, 2, 3, 4, 5}));
  EXPECT_EQ(tokenizer->decode(Ids{3, 2, 3, 4, 5}), "ab ab\u00e9");
  expect_fault(Fault::kBadInput, "base64",
               [] { Tokenizer::from_sentencepiece("YQ== 0\n?? 1\n", "tokenizer.model"); });
  expect_fault(Fault::kBadInput, "line 2",
               [] { Tokenizer::from_sentencepiece("YQ== 0\nYg==\n", "tokenizer.model"); });
}

}  // namespace
}  // namespace farthing::text
