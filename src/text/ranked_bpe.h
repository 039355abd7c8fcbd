// Byte-pair encoding without a list of merges: two neighbours merge when what they spell together
// is a token, the best token first (SentencePiece by score, tiktoken by id).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/adjacency.h"
#include "text/merge.h"
#include "text/model.h"
#include "text/trie.h"

namespace farthing::text {

struct RankedTokens {
  std::vector<std::uint32_t> rank;  // by id, low first; kNoMerge: does not come out of text
  std::vector<bool> unused;         // merged like others, but taken apart again in the end
  std::vector<Token> user_defined;  // always found whole, and never merged
};
// Ranks by falling score; equal scores share a rank.
std::vector<std::uint32_t> ranks_by_score(const std::vector<float>& scores,
                                          const std::vector<bool>& mergeable);

struct RankedBpeOptions {
  std::optional<Token> unknown = std::nullopt;
  bool byte_fallback = false;  // "<0xE2>" tokens for what is unknown
  bool whole_first = false;    // a piece that is a token is that token
};

class RankedBpeModel final : public Model {
 public:
  RankedBpeModel(Vocabulary vocabulary, RankedTokens tokens, RankedBpeOptions options);
  void encode(std::string_view piece, std::vector<Token>& ids) const override;
  void hide(const std::vector<Token>& ids) override;

 private:
  Token find_ranked(std::string_view text) const;
  std::vector<Symbol> split(std::string_view piece) const;
  void emit(std::string_view text, Token id, bool after_unknown, std::vector<Token>& ids) const;

  RankedTokens tokens_;
  RankedBpeOptions options_;
  bool any_unused_ = false;
  Trie user_defined_;
  Adjacency adjacency_;
  std::array<Token, 256> byte_tokens_;
};

}  // namespace farthing::text
