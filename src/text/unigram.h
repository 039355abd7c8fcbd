// The unigram language model (Kudo 2018): of all ways to cut a piece of text, the likeliest.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "text/model.h"
#include "text/trie.h"

namespace farthing::text {

struct UnigramOptions {
  std::optional<Token> unknown = std::nullopt;
  bool byte_fallback = false;
  bool single_precision = false;   // SentencePiece keeps floats, `tokenizers` doubles
  bool fuse_unknown_bytes = true;  // `tokenizers` joins unknown neighbours before they become bytes
};

class UnigramModel final : public Model {
 public:
  // scores: log probabilities by id; matchable: ids that may come out of text.
  UnigramModel(Vocabulary vocabulary, std::vector<double> scores, std::vector<bool> matchable,
               std::vector<bool> user_defined, UnigramOptions options);

  void encode(std::string_view piece, std::vector<Token>& ids) const override;
  void hide(const std::vector<Token>& ids) override;

 private:
  struct Step {  // the best way to reach a place in the text
    double score = 0;
    std::size_t begin = 0;
    Token id = kNoToken;
    bool reached = false;
  };
  void build_trie();
  void forward(std::string_view piece, std::vector<Step>& steps) const;
  void emit(std::string_view text, Token id, std::vector<Token>& ids) const;
  double rounded(double score) const {
    return options_.single_precision ? static_cast<double>(static_cast<float>(score)) : score;
  }

  std::vector<double> scores_;
  std::vector<bool> matchable_, user_defined_;
  UnigramOptions options_;
  double unknown_score_ = 0;
  std::vector<Token> byte_tokens_;
  Trie trie_;
};

}  // namespace farthing::text
