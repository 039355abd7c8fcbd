// Which characters ever stand side by side inside a token. Where two neighbours of a text never do,
// no merge can cross, so the text may be cut there: merging is local, and the result the same.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace farthing::text {

class Adjacency {
 public:
  void clear() { bits_.assign(kWords, 0); }
  void add(std::string_view token) {
    char32_t previous = 0;
    for (std::size_t at = 0; at < token.size();) {
      const Decoded next = decode_utf8(token, at);
      if (at > 0) bits_[slot(previous, next.code) / 64] |= bit(previous, next.code);
      previous = next.code;
      at += next.length;
    }
  }
  // False: never. True: yes, or another pair shares the slot.
  bool may_join(char32_t left, char32_t right) const {
    return (bits_[slot(left, right) / 64] & bit(left, right)) != 0;
  }

 private:
  static constexpr std::size_t kWords = (std::size_t{1} << 21) / 64;
  static std::size_t slot(char32_t left, char32_t right) {
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 21 | right;
    return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15u >> 43);
  }
  static std::uint64_t bit(char32_t left, char32_t right) {
    return std::uint64_t{1} << slot(left, right) % 64;
  }
  std::vector<std::uint64_t> bits_ = std::vector<std::uint64_t>(kWords);
};

}  // namespace farthing::text
