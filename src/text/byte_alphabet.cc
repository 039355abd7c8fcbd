#include "text/byte_alphabet.h"

namespace farthing::text {

const ByteAlphabet& ByteAlphabet::get() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

ByteAlphabet::ByteAlphabet() {
  byte_.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const char32_t code = itself ? static_cast<char32_t>(byte) : next++;
    byte_[code] = byte;
    spelling_[static_cast<std::size_t>(byte)] = to_utf8(code);
  }
}

bool ByteAlphabet::append_bytes(std::string_view text, std::string& out) const {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_utf8(text, at);
    if (next.code >= byte_.size() || byte_[next.code] < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte_[next.code]));
    at += next.length;
  }
  return true;
}

}  // namespace farthing::text
