// A GGUF vocabulary gives the ids of the tokenizer.json or tokenizer.model that it was made from.
#include "text/gguf_vocabulary.h"

#include "tests/text/tokenizer_files.h"
#include "text/sentencepiece_model.h"

namespace farthing::text {
namespace {

Json golden_json(const std::string& name) { return parse_json(golden_file(name), name); }

Json metadata_of(const std::string& folder, const std::string& pre) {
  const Json file = golden_json(folder + "/tokenizer.json");
  std::vector<std::string> tokens;
  std::vector<int> types;
  for (const auto& [piece, id] : file["model"]["vocab"].items()) {
    const auto index = id.get<std::size_t>();
    if (index >= tokens.size()) tokens.resize(index + 1), types.resize(index + 1, 1);
    tokens[index] = piece;
  }
  for (const Json& added : file["added_tokens"])
    types[added["id"].get<std::size_t>()] = added["special"] ? 3 : 4;
  Json merges = Json::array();
  for (const Json& merge : file["model"]["merges"])
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  return {{"tokenizer.ggml.model", "gpt2"},        {"tokenizer.ggml.pre", pre},
          {"tokenizer.ggml.tokens", tokens},       {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.merges", merges},       {"tokenizer.ggml.bos_token_id", 0},
          {"tokenizer.ggml.add_bos_token", false}, {"tokenizer.ggml.eos_token_id", 1}};
}

struct Twin {
  const char* folder;
  const char* pre;
};
class GgufByteLevel : public testing::TestWithParam<Twin> {};

TEST_P(GgufByteLevel, GivesTheIdsOfItsTokenizerJson) {
  const auto tokenizer =
      Tokenizer::load(TextFiles::gguf(metadata_of(GetParam().folder, GetParam().pre)));
  ASSERT_NE(tokenizer, nullptr);
  const auto original = Tokenizer::from_tokenizer_json(
      golden_file(std::string(GetParam().folder) + "/tokenizer.json"), "original");
  for (const Json& text : golden_json("texts.json"))
    EXPECT_EQ(tokenizer->encode(text.get<std::string>(), {.add_special = false}),
              original->encode(text.get<std::string>(), {.add_special = false}))
        << text;
}

INSTANTIATE_TEST_SUITE_P(Pre, GgufByteLevel,
                         testing::Values(Twin{"gpt2", "gpt-2"}, Twin{"llama3", "llama-bpe"},
                                         Twin{"smollm", "smollm"}, Twin{"o200k", "gpt-4o"},
                                         Twin{"tekken", "tekken"}, Twin{"qwen35", "qwen35"},
                                         Twin{"deepseek3", "deepseek-v3"},
                                         Twin{"deepseek_llm", "deepseek-coder"},
                                         Twin{"bloom", "bloom"}),
                         [](const auto& twin) { return std::string(twin.param.folder); });

Json scored_metadata(const SentencePieceModel& model) {
  Json tokens = Json::array(), scores = Json::array(), types = Json::array();
  for (const auto& entry : model.pieces) {
    tokens.push_back(entry.piece);
    scores.push_back(entry.score);
    types.push_back(static_cast<int>(entry.kind));
  }
  return {{"tokenizer.ggml.model", "llama"},      {"tokenizer.ggml.tokens", tokens},
          {"tokenizer.ggml.scores", scores},      {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.unknown_token_id", 0}, {"tokenizer.ggml.bos_token_id", 1},
          {"tokenizer.ggml.eos_token_id", 2}};
}

TEST(GgufVocabulary, ScoredPiecesGiveTheIdsOfTheirSentencePieceModel) {
  const Json metadata =
      scored_metadata(parse_sentencepiece(golden_file("sp_bpe/tokenizer.model"), "sp_bpe"));
  const auto tokenizer = Tokenizer::load(TextFiles::gguf(metadata));
  const Json texts = golden_json("texts.json"), golden = golden_json("sp_bpe/golden.json");
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(tokenizer->encode(texts[i].get<std::string>(),
                                {.add_special = false, .parse_special = false}),
              golden["content"][i].get<Ids>())
        << texts[i];
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), Ids{2});
  EXPECT_EQ(tokenizer->encode("").front(), 1);
}

TEST(GgufVocabulary, TheKeysSayWhatIsPutAroundAText) {
  Json metadata = metadata_of("llama3", "llama-bpe");
  const auto framed = [&] { return Tokenizer::load(TextFiles::gguf(metadata))->encode(""); };
  EXPECT_EQ(framed(), Ids{});
  metadata["tokenizer.ggml.add_bos_token"] = true;
  metadata["tokenizer.ggml.add_eos_token"] = true;
  EXPECT_EQ(framed(), (Ids{0, 1}));
  metadata.erase("tokenizer.ggml.add_bos_token");
  metadata.erase("tokenizer.ggml.add_eos_token");
  EXPECT_EQ(framed(), Ids{0});  // Llama 3 adds it by itself
}

TEST(GgufVocabulary, AnAnswerAlsoEndsAtTheTurnTokensOfChatModels) {
  EXPECT_EQ(Tokenizer::load(TextFiles::gguf(metadata_of("llama3", "llama-bpe")))->eos(),
            (Ids{1, 3}));  // "<|im_end|>"
}

TEST(GgufVocabulary, AFileWithoutOneHasNoTokenizer) {
  EXPECT_EQ(Tokenizer::load(TextFiles::gguf(Json::object())), nullptr);
}

TEST(GgufVocabulary, RefusesTablesThatDoNotFitTogether) {
  const Json good = metadata_of("gpt2", "gpt-2");
  const auto refused = [&](Fault fault, const std::string& part, auto change) {
    Json bad = good;
    change(bad);
    expect_fault(fault, part, [&] { Tokenizer::load(TextFiles::gguf(bad)); });
  };
  refused(Fault::kUnsupported, "tokenizer.ggml.model",
          [](Json& m) { m["tokenizer.ggml.model"] = "rwkv"; });
  refused(Fault::kUnsupported, "tokenizer.ggml.pre",
          [](Json& m) { m["tokenizer.ggml.pre"] = "nobody's"; });
  refused(Fault::kBadInput, "tokenizer.ggml.tokens",
          [](Json& m) { m["tokenizer.ggml.tokens"] = Json::array(); });
  refused(Fault::kBadInput, "not UTF-8",
          [](Json& m) { m["tokenizer.ggml.tokens"][5] = "\xC3\x28"; });
  refused(Fault::kBadInput, "token_type", [](Json& m) { m["tokenizer.ggml.token_type"] = {1, 2}; });
  refused(Fault::kBadInput, "types run from 1 to 6",
          [](Json& m) { m["tokenizer.ggml.token_type"][7] = 77; });
  refused(Fault::kBadInput, "bos_token_id",
          [](Json& m) { m["tokenizer.ggml.bos_token_id"] = 1'000'000; });
  refused(Fault::kBadInput, "merge", [](Json& m) { m["tokenizer.ggml.merges"][0] = "nospace"; });
  refused(Fault::kBadInput, "merge", [](Json& m) { m["tokenizer.ggml.merges"][0] = "zz qq"; });
  refused(Fault::kBadInput, "tokenizer.ggml.merges",
          [](Json& m) { m.erase("tokenizer.ggml.merges"); });
  refused(Fault::kBadInput, "finite number", [](Json& m) {
    m["tokenizer.ggml.scores"] = Json::array();
    for (std::size_t i = 0; i < m["tokenizer.ggml.tokens"].size(); ++i)
      m["tokenizer.ggml.scores"].push_back("x");
  });
}

}  // namespace
}  // namespace farthing::text
