// GPT-2's reversible spelling of bytes as printable characters: the 188 printable ones of Latin-1
// stand for themselves, the other 68 are U+0100 and up in ascending order (" " is "Ġ" = U+0120).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace farthing::text {

class ByteAlphabet {
 public:
  static const ByteAlphabet& get();
  const std::string& spelling(unsigned char byte) const { return spelling_[byte]; }
  // Appends the bytes that `text` spells; false (and nothing appended) when it has other
  // characters.
  bool append_bytes(std::string_view text, std::string& out) const;

 private:
  ByteAlphabet();
  std::array<std::string, 256> spelling_;
  std::array<int, 0x144> byte_;  // by code point, -1: none
};

}  // namespace farthing::text
