// GGUF's k-quants: super-blocks of 256 inputs, whose groups of 16 or 32 have small integer scales
// (and minima) under one FP16 factor. A group's scale d * sc is exact in FP32.
#include "formats/gguf_block.h"
#include "formats/gguf_super.h"

namespace farthing {
namespace {

struct Super {
  static constexpr int kInputs = 256;
  static constexpr bool kF16Scales = false;
  static constexpr const float* kCodebook = nullptr;
  static constexpr int kMinimumFactorAt = 0;  // where there are none
};

std::byte byte_of(int value) { return static_cast<std::byte>(value); }
int byte_at(const std::byte* from, int i) { return std::to_integer<int>(from[i]); }

// 16 groups: scale in the low nibble of a byte, minimum in the high one; codes of 2 bits in
// planes of 32.
struct Q2K : Super {
  static constexpr std::string_view kName = "q2_k";
  static constexpr int kBytes = 84, kGroup = 16, kBits = 2, kBias = 0;
  static constexpr bool kOffsets = true;
  static constexpr int kFactorAt = 80, kMinimumFactorAt = 82;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float* offsets) {
    const float d = load_half(block + 80), dmin = load_half(block + 82);
    for (int g = 0; g < 16; ++g) {
      scales[g] = d * static_cast<float>(byte_at(block, g) & 15);
      offsets[g] = -(dmin * static_cast<float>(byte_at(block, g) >> 4));
    }
    for (int i = 0; i < kInputs; ++i)
      codes[i] = byte_at(block, 16 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    const SuperBlock super = round_super_block({16, 2, 0, 15, 15}, method, weights, importance);
    std::memset(block, 0, kBytes);
    store_half(block + 80, super.d);
    store_half(block + 82, super.dmin);
    for (int g = 0; g < 16; ++g) block[g] = byte_of(super.scales[g] | super.minima[g] << 4);
    write_codes(block, super.codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    std::memset(block + 16, 0, 64);
    for (int i = 0; i < kInputs; ++i)
      block[16 + i / 128 * 32 + i % 32] |= byte_of(codes[i] << (i % 128 / 32 * 2));
  }
};

// 16 groups of signed scales of 6 bits; the third bit of the codes lies in a mask in front.
struct Q3K : Super {
  static constexpr std::string_view kName = "q3_k";
  static constexpr int kBytes = 110, kGroup = 16, kBits = 3, kBias = 4;
  static constexpr bool kOffsets = false;
  static constexpr int kFactorAt = 108;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float*) {
    const float d = load_half(block + 108);
    const std::byte* packed = block + 96;
    for (int g = 0; g < 16; ++g) {
      const int low = byte_at(packed, g % 8) >> (g / 8 * 4) & 15;
      const int high = byte_at(packed, 8 + g % 4) >> (g / 4 * 2) & 3;
      scales[g] = d * static_cast<float>((low | high << 4) - 32);
    }
    for (int i = 0; i < kInputs; ++i) {
      const int low = byte_at(block, 32 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
      const int high = byte_at(block, i % 32) >> (i / 32) & 1;
      codes[i] = static_cast<std::uint8_t>(low | high << 2);
    }
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    const SuperBlock super = round_super_block({16, 3, -32, 31, 0}, method, weights, importance);
    std::memset(block, 0, kBytes);
    store_half(block + 108, super.d);
    for (int g = 0; g < 16; ++g) {
      const int scale = super.scales[g] + 32;
      block[96 + g % 8] |= byte_of((scale & 15) << (g / 8 * 4));
      block[104 + g % 4] |= byte_of(scale >> 4 << (g / 4 * 2));
    }
    write_codes(block, super.codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    std::memset(block, 0, 96);
    for (int i = 0; i < kInputs; ++i) {
      block[32 + i / 128 * 32 + i % 32] |= byte_of((codes[i] & 3) << (i % 128 / 32 * 2));
      block[i % 32] |= byte_of(codes[i] >> 2 << (i / 32));
    }
  }
};

// q4_k and q5_k: d, dmin, then 8 scales and 8 minima of 6 bits in 12 bytes.
void read_scales_and_minima(const std::byte* block, float* scales, float* offsets) {
  const float d = load_half(block), dmin = load_half(block + 2);
  const std::byte* packed = block + 4;
  for (int g = 0; g < 8; ++g) {
    int scale = byte_at(packed, g % 4) & 63, minimum = byte_at(packed, g % 4 + 4) & 63;
    if (g >= 4) {
      scale = (byte_at(packed, g + 4) & 15) | byte_at(packed, g - 4) >> 6 << 4;
      minimum = byte_at(packed, g + 4) >> 4 | byte_at(packed, g) >> 6 << 4;
    }
    scales[g] = d * static_cast<float>(scale);
    offsets[g] = -(dmin * static_cast<float>(minimum));
  }
}

void write_scales_and_minima(const SuperBlock& super, std::byte* block) {
  store_half(block, super.d);
  store_half(block + 2, super.dmin);
  std::byte* packed = block + 4;
  for (int g = 0; g < 8; ++g) {
    const int scale = super.scales[g], minimum = super.minima[g];
    if (g < 4) {
      packed[g] |= byte_of(scale);
      packed[g + 4] |= byte_of(minimum);
    } else {
      packed[g + 4] |= byte_of((scale & 15) | (minimum & 15) << 4);
      packed[g - 4] |= byte_of(scale >> 4 << 6);
      packed[g] |= byte_of(minimum >> 4 << 6);
    }
  }
}

// Nibbles of 64 inputs in 32 bytes: the first 32 below, the others above.
std::uint8_t nibble(const std::byte* from, int i) {
  return byte_at(from, i / 64 * 32 + i % 32) >> (i % 64 / 32 * 4) & 15;
}

void write_nibble(std::byte* to, int i, int code) {
  to[i / 64 * 32 + i % 32] |= byte_of((code & 15) << (i % 64 / 32 * 4));
}

struct Q4K : Super {
  static constexpr std::string_view kName = "q4_k";
  static constexpr int kBytes = 144, kGroup = 32, kBits = 4, kBias = 0;
  static constexpr bool kOffsets = true;
  static constexpr int kFactorAt = 0, kMinimumFactorAt = 2;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float* offsets) {
    read_scales_and_minima(block, scales, offsets);
    for (int i = 0; i < kInputs; ++i) codes[i] = nibble(block + 16, i);
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    const SuperBlock super = round_super_block({32, 4, 0, 63, 63}, method, weights, importance);
    std::memset(block, 0, kBytes);
    write_scales_and_minima(super, block);
    write_codes(block, super.codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    std::memset(block + 16, 0, 128);
    for (int i = 0; i < kInputs; ++i) write_nibble(block + 16, i, codes[i]);
  }
};

struct Q5K : Super {
  static constexpr std::string_view kName = "q5_k";
  static constexpr int kBytes = 176, kGroup = 32, kBits = 5, kBias = 0;
  static constexpr bool kOffsets = true;
  static constexpr int kFactorAt = 0, kMinimumFactorAt = 2;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float* offsets) {
    read_scales_and_minima(block, scales, offsets);
    for (int i = 0; i < kInputs; ++i) {
      const int high = byte_at(block, 16 + i % 32) >> (i / 32) & 1;
      codes[i] = static_cast<std::uint8_t>(nibble(block + 48, i) | high << 4);
    }
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    const SuperBlock super = round_super_block({32, 5, 0, 63, 63}, method, weights, importance);
    std::memset(block, 0, kBytes);
    write_scales_and_minima(super, block);
    write_codes(block, super.codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    std::memset(block + 16, 0, 160);
    for (int i = 0; i < kInputs; ++i) {
      write_nibble(block + 48, i, codes[i]);
      block[16 + i % 32] |= byte_of(codes[i] >> 4 << (i / 32));
    }
  }
};

// Low nibbles of 128 inputs in 64 bytes, two high bits in planes of 32, signed byte scales.
struct Q6K : Super {
  static constexpr std::string_view kName = "q6_k";
  static constexpr int kBytes = 210, kGroup = 16, kBits = 6, kBias = 32;
  static constexpr bool kOffsets = false;
  static constexpr int kFactorAt = 208;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float*) {
    const float d = load_half(block + 208);
    for (int g = 0; g < 16; ++g)
      scales[g] = d * static_cast<float>(load<std::int8_t>(block + 192, g));
    for (int i = 0; i < kInputs; ++i) {
      const int low = byte_at(block, i / 128 * 64 + i % 64) >> (i % 128 / 64 * 4) & 15;
      const int high = byte_at(block, 128 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
      codes[i] = static_cast<std::uint8_t>(low | high << 4);
    }
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    const SuperBlock super = round_super_block({16, 6, -128, 127, 0}, method, weights, importance);
    std::memset(block, 0, kBytes);
    store_half(block + 208, super.d);
    for (int g = 0; g < 16; ++g) block[192 + g] = byte_of(super.scales[g]);
    write_codes(block, super.codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    std::memset(block, 0, 192);
    for (int i = 0; i < kInputs; ++i) {
      const int code = codes[i];
      block[i / 128 * 64 + i % 64] |= byte_of((code & 15) << (i % 128 / 64 * 4));
      block[128 + i / 128 * 32 + i % 32] |= byte_of(code >> 4 << (i % 128 / 32 * 2));
    }
  }
};

}  // namespace

Format q2_k_format() { return BlockFormat<Q2K>::row(); }
Format q3_k_format() { return BlockFormat<Q3K>::row(); }
Format q4_k_format() { return BlockFormat<Q4K>::row(); }
Format q5_k_format() { return BlockFormat<Q5K>::row(); }
Format q6_k_format() { return BlockFormat<Q6K>::row(); }

std::span<const BlockCodes> super_block_codes() {
  static const std::array rows = {BlockFormat<Q2K>::codes_row(), BlockFormat<Q3K>::codes_row(),
                                  BlockFormat<Q4K>::codes_row(), BlockFormat<Q5K>::codes_row(),
                                  BlockFormat<Q6K>::codes_row()};
  return rows;
}

}  // namespace farthing
