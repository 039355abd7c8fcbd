// Pieces of text and their ids, both ways.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace farthing::text {

inline constexpr Token kNoToken = -1;

std::uint64_t hash_bytes(std::string_view bytes);

class Vocabulary {
 public:
  static constexpr std::int64_t kMaxId = 8 << 20;  // sixteen times the largest known
  static constexpr std::size_t kMaxPieceBytes = 1u << 14;

  explicit Vocabulary(std::string_view where) : where_(where) {}
  void reserve(std::size_t pieces, std::size_t bytes);

  // Error: bad input for an id below 0, above kMaxId or given twice, for a piece given twice, and
  // for one longer than kMaxPieceBytes.
  void add(std::string_view piece, std::int64_t id);

  Token find(std::string_view piece) const;  // kNoToken when absent or hidden
  std::string_view text(Token id) const;     // "" for an id without a piece
  bool has(Token id) const {
    return id >= 0 && id < size() && spans_[static_cast<std::size_t>(id)].known;
  }
  // find() stops seeing it: control tokens must not come out of ordinary text.
  void hide(Token id) { spans_[static_cast<std::size_t>(id)].hidden = true; }
  Token find_even_hidden(std::string_view piece) const;

  Token size() const { return static_cast<Token>(spans_.size()); }  // largest id + 1
  std::int64_t count() const { return count_; }                     // pieces
  std::size_t longest() const { return longest_; }                  // bytes
  const std::string& where() const { return where_; }

 private:
  struct Span {
    std::uint64_t begin = 0;
    std::uint32_t length = 0;
    bool known = false, hidden = false;
  };
  struct Slot {
    std::uint32_t tag = 0;
    Token id = kNoToken;
  };
  Token* slot_of(std::string_view piece, std::uint64_t hash);
  void grow();

  std::string where_, arena_;
  std::vector<Span> spans_;  // by id
  std::vector<Slot> slots_;  // open addressing, a power of two
  std::int64_t count_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace farthing::text
