// SHA-256 (FIPS 180-4): names texts and weights by their content.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/cursor.h"

namespace farthing {

class Sha256 {
 public:
  void update(ByteSpan bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  std::string hex();  // 64 digits; ends the computation

 private:
  void block(const std::byte* bytes);
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_{};
  std::uint64_t length_ = 0;
};

inline std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

}  // namespace farthing
