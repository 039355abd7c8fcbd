// Codes of 2 to 8 bits in a dense little-endian stream, least significant bit first: what
// compressed-tensors' pack-quantized keeps in its 32-bit words, codes crossing words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace farthing {

// Eight codes of 4 bits, each into a byte of its own.
inline std::uint64_t spread_halves(std::uint32_t eight) {
  std::uint64_t x = eight;
  x = (x | x << 16) & 0x0000FFFF0000FFFF;
  x = (x | x << 8) & 0x00FF00FF00FF00FF;
  return (x | x << 4) & 0x0F0F0F0F0F0F0F0F;
}

// Eight codes always fill `bits` bytes. `stream` holds at least ceil(codes * bits / 8) bytes.
inline void unpack_bits(const std::byte* stream, int bits, std::span<std::uint8_t> codes) {
  const auto mask = static_cast<std::uint64_t>((1 << bits) - 1);
  std::size_t i = 0;
  if (bits == 8) return static_cast<void>(std::memcpy(codes.data(), stream, codes.size()));
  // The two commonest widths at the speed of memory: models are unpacked at every start.
  for (; bits == 4 && i + 8 <= codes.size(); i += 8, stream += 4) {
    std::uint32_t eight = 0;
    std::memcpy(&eight, stream, 4);
    const std::uint64_t spread = spread_halves(eight);
    std::memcpy(codes.data() + i, &spread, 8);
  }
  for (; i + 8 <= codes.size(); i += 8, stream += bits) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, stream, static_cast<std::size_t>(bits));
    for (std::size_t j = 0; j < 8; ++j, eight >>= bits)
      codes[i + j] = static_cast<std::uint8_t>(eight & mask);
  }
  if (i == codes.size()) return;
  std::uint64_t rest = 0;
  std::memcpy(&rest, stream, ((codes.size() - i) * static_cast<std::size_t>(bits) + 7) / 8);
  for (; i < codes.size(); ++i, rest >>= bits) codes[i] = static_cast<std::uint8_t>(rest & mask);
}

inline void pack_bits(std::span<const std::uint8_t> codes, int bits, std::byte* stream) {
  for (std::size_t i = 0; i < codes.size(); i += 8) {
    const std::size_t count = codes.size() - i < 8 ? codes.size() - i : 8;
    std::uint64_t eight = 0;
    for (std::size_t j = 0; j < count; ++j)
      eight |= static_cast<std::uint64_t>(codes[i + j]) << (j * static_cast<std::size_t>(bits));
    std::memcpy(stream, &eight, (count * static_cast<std::size_t>(bits) + 7) / 8);
    stream += bits;
  }
}

}  // namespace farthing
