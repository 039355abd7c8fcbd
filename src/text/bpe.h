// Byte-pair encoding by a list of merges (Sennrich et al. 2016), as `tokenizers` runs it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "text/adjacency.h"
#include "text/merge.h"
#include "text/model.h"

namespace farthing::text {

struct BpeOptions {
  std::optional<std::string> unknown;  // token for unknown characters; without it they vanish
  std::string continuing_prefix;       // of symbols that do not start a piece ("##")
  std::string end_suffix;              // of the symbol that ends a piece ("</w>")
  bool fuse_unknown = false;           // neighbouring unknown characters give one token
  bool byte_fallback = false;          // unknown characters become "<0xE2>" tokens when all exist
  bool ignore_merges = false;          // a piece that is a token is that token
};

// "<0x0A>" as a byte; -1 when it is none.
int byte_of_token(std::string_view token);
std::string token_of_byte(int byte);

class BpeModel final : public Model {
 public:
  BpeModel(Vocabulary vocabulary, BpeOptions options);

  void reserve_merges(std::size_t count);
  // The next merge in order of rank. Error: bad input when a part or the result is no token.
  void add_merge(std::string_view left, std::string_view right);
  // The tables are no longer allowed to change.
  void finish();

  void encode(std::string_view piece, std::vector<Token>& ids) const override;
  void hide(const std::vector<Token>& ids) override;

 private:
  struct Pair {
    std::uint64_t key = ~std::uint64_t{0};
    Merge merge;
  };
  Merge find_merge(Token left, Token right) const;
  void put_merge(std::uint64_t key, Merge merge);
  Token character(std::string_view text, bool first, bool last) const;
  void split(std::string_view piece, std::vector<Symbol>& symbols) const;
  bool never_joins(std::string_view piece, const Symbol& left, const Symbol& right) const;
  bool push_bytes(std::string_view text, std::size_t begin, std::vector<Symbol>& symbols) const;

  BpeOptions options_;
  Token unknown_ = kNoToken;
  std::array<Token, 256> byte_tokens_;      // byte fallback
  std::array<Token, 0x800> character_ids_;  // of one- and two-byte characters
  std::vector<Pair> pairs_;                 // open addressing, a power of two
  std::uint32_t merges_ = 0;
  Adjacency adjacency_;
};

}  // namespace farthing::text
