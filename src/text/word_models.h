// Vocabularies of whole words: WordPiece (BERT) and WordLevel.
#pragma once

#include <string>
#include <utility>

#include "text/model.h"

namespace farthing::text {

// Cuts a word greedily into its longest known starts; the rest of a word carries a prefix.
class WordPieceModel final : public Model {
 public:
  WordPieceModel(Vocabulary vocabulary, std::string unknown, std::string continuing_prefix,
                 std::size_t longest_word);
  void encode(std::string_view piece, std::vector<Token>& ids) const override;

 private:
  Token longest_start(std::string_view word, std::size_t at, std::size_t& end) const;
  std::string unknown_name_, prefix_;
  std::size_t longest_word_;  // in characters; longer words are unknown
  Token unknown_;
};

class WordLevelModel final : public Model {
 public:
  WordLevelModel(Vocabulary vocabulary, std::string unknown);
  void encode(std::string_view piece, std::vector<Token>& ids) const override;

 private:
  std::string unknown_name_;
  Token unknown_;
};

}  // namespace farthing::text
