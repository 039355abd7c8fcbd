// Tiny tokenizers of every kind against what the original packages did with hard texts
// (tools/goldens/make_tokenizers.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "text/tokenizer.h"

namespace farthing::text {
namespace {

std::string read_file(const std::string& name) {
  std::ifstream file(FARTHING_SOURCE_DIR "/tests/golden/tokenizers/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
nlohmann::json read_json(const std::string& name) { return nlohmann::json::parse(read_file(name)); }

std::vector<std::string> all_folders() {
  return read_json("manifest.json").at("folders").get<std::vector<std::string>>();
}
// Without the SentencePiece models, whose library knows no special tokens in text.
std::vector<std::string> json_folders() {
  std::vector<std::string> folders = all_folders();
  std::erase_if(folders, [](const std::string& name) { return name.starts_with("sp_"); });
  return folders;
}

std::unique_ptr<Tokenizer> open(const std::string& folder) {
  if (folder.starts_with("sp_"))
    return Tokenizer::from_sentencepiece(read_file(folder + "/tokenizer.model"), folder);
  return Tokenizer::from_tokenizer_json(read_file(folder + "/tokenizer.json"), folder);
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = open(GetParam());
  nlohmann::json texts_ = read_json("texts.json");
  nlohmann::json golden_ = read_json(GetParam() + "/golden.json");
};

class TokenizerJsonGolden : public TokenizerGolden {};

// Special ids whose spelling the text holds, but for those that stand for what is unknown.
std::vector<Token> smuggled(const Tokenizer& tokenizer, const std::vector<Token>& ids,
                            const std::string& text) {
  std::vector<Token> found;
  const std::set<std::string> unknown = {"<unk>", "[UNK]"};
  for (const Token id : ids)
    if (const std::string spelling = tokenizer.token_text(id);
        tokenizer.is_special(id) && !unknown.contains(spelling) &&
        text.find(spelling) != std::string::npos)
      found.push_back(id);
  return found;
}

TEST_P(TokenizerJsonGolden, GivesTheIdsOfTheOriginal) {
  ASSERT_GT(texts_.size(), 100u);
  for (std::size_t i = 0; i < texts_.size(); ++i)
    if (const nlohmann::json& ids = golden_["ids"][i]; !ids.is_null()) {
      EXPECT_EQ(tokenizer_->encode(texts_[i].get<std::string>()), ids.get<std::vector<Token>>())
          << "text " << i << ": " << texts_[i];
    }
}

TEST_P(TokenizerGolden, TreatsContentAsTheOriginalWithoutSpecialTokens) {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    nlohmann::json expected = golden_["content"][i];
    if (expected.is_null()) expected = golden_["ids"][i];
    if (expected.is_null()) continue;
    const auto text = texts_[i].get<std::string>();
    const auto ids = tokenizer_->encode(text, {.add_special = false, .parse_special = false});
    EXPECT_EQ(smuggled(*tokenizer_, ids, text), std::vector<Token>()) << "text " << i;
    // The original's Unigram finds special tokens among its pieces all the same; that we must not.
    if (!smuggled(*tokenizer_, expected.get<std::vector<Token>>(), text).empty()) continue;
    EXPECT_EQ(ids, expected.get<std::vector<Token>>()) << "text " << i << ": " << texts_[i];
  }
}

TEST_P(TokenizerJsonGolden, DecodesAsTheOriginal) {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (golden_["ids"][i].is_null()) continue;
    const auto ids = golden_["ids"][i].get<std::vector<Token>>();
    const nlohmann::json& recorded = golden_["decoded"][i];
    const nlohmann::json decoded = recorded.is_null() ? texts_[i] : recorded;
    const nlohmann::json& all = golden_["decoded_all"][i];
    EXPECT_EQ(tokenizer_->decode(ids), decoded.get<std::string>()) << "text " << i;
    EXPECT_EQ(tokenizer_->decode(ids, false), (all.is_null() ? decoded : all).get<std::string>())
        << "text " << i;
  }
}

TEST_P(TokenizerGolden, StreamsWhatItDecodes) {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const std::vector<Token> ids = tokenizer_->encode(texts_[i].get<std::string>());
    StreamDecoder stream(*tokenizer_);
    std::string streamed;
    for (const Token id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    // One byte token too many makes the original give up on all bytes before it; a stream has them
    // out by then.
    const std::string decoded = tokenizer_->decode(ids);
    if (decoded.find("\xEF\xBF\xBD") == std::string::npos) {
      EXPECT_EQ(streamed, decoded) << "text " << i;
    }
  }
}

TEST_P(TokenizerGolden, FindsEveryTokenByItsSpelling) {
  for (Token id = 0; id < tokenizer_->size(); ++id) {
    const std::string spelling = tokenizer_->token_text(id);
    ASSERT_FALSE(spelling.empty()) << id;
    EXPECT_EQ(tokenizer_->find(spelling), id) << spelling;
  }
  EXPECT_EQ(tokenizer_->token_text(-1), "");
  EXPECT_EQ(tokenizer_->token_text(static_cast<Token>(tokenizer_->size())), "");
}

const auto folder_name = [](const auto& folder) { return folder.param; };
INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden, testing::ValuesIn(all_folders()), folder_name);
INSTANTIATE_TEST_SUITE_P(Json, TokenizerJsonGolden, testing::ValuesIn(json_folders()), folder_name);

}  // namespace
}  // namespace farthing::text
