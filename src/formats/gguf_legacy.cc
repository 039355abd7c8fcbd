// GGUF's blocks of 32 inputs with one FP16 scale (and minimum): q4_0 q4_1 q5_0 q5_1 q8_0.
#include <algorithm>
#include <cmath>

#include "formats/gguf_block.h"

namespace farthing {
namespace {

// What the five types share; High says whether a fifth bit follows the scales.
template <int kBits_, bool kMinimum, bool kHigh>
struct Legacy {
  static constexpr int kInputs = 32, kGroup = 32, kBits = kBits_;
  static constexpr int kBias = kMinimum ? 0 : 1 << (kBits - 1);
  static constexpr bool kOffsets = kMinimum, kF16Scales = true;
  static constexpr const float* kCodebook = nullptr;
  static constexpr int kHighAt = kMinimum ? 4 : 2;
  static constexpr int kCodesAt = kHighAt + (kHigh ? 4 : 0);
  static constexpr int kBytes = kCodesAt + (kBits == 8 ? 32 : 16);

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float* offsets) {
    scales[0] = load_half(block);
    if constexpr (kMinimum) offsets[0] = load_half(block + 2);
    if constexpr (kBits == 8) {
      for (int i = 0; i < kInputs; ++i)  // signed byte to code: + 128
        codes[i] = std::to_integer<std::uint8_t>(block[kCodesAt + i] ^ std::byte{128});
      return;
    }
    read_nibbles(block + kCodesAt, codes);
    if constexpr (kHigh) {
      const auto high = load<std::uint32_t>(block + kHighAt);
      for (int i = 0; i < kInputs; ++i)
        codes[i] = static_cast<std::uint8_t>(codes[i] | (high >> i & 1u) << 4);
    }
  }

  static void write(std::byte* block, const std::uint8_t* codes, const float* scales,
                    const float* offsets) {
    store_half(block, scales[0]);
    if constexpr (kMinimum) store_half(block + 2, offsets[0]);
    write_codes(block, codes);
  }

  static void write_codes(std::byte* block, const std::uint8_t* codes) {
    if constexpr (kBits == 8) {
      for (int i = 0; i < kInputs; ++i)
        block[kCodesAt + i] = static_cast<std::byte>(codes[i]) ^ std::byte{128};
      return;
    }
    write_nibbles(block + kCodesAt, codes);
    if constexpr (kHigh) {
      std::uint32_t high = 0;
      for (int i = 0; i < kInputs; ++i) high |= static_cast<std::uint32_t>(codes[i] >> 4 & 1) << i;
      store(block + kHighAt, 0, high);
    }
  }

  static void round(RoundMethod method, const float* weights, const float* importance,
                    std::byte* block) {
    WeightScheme scheme;
    scheme.element = Element::kInt;
    scheme.bits = kBits;
    scheme.symmetric = !kMinimum;
    if (kMinimum) scheme.zero_point = ZeroPoint::kFloat;
    GroupRounder rounder(scheme, method, kInputs);
    std::uint8_t codes[kInputs] = {};
    const GroupGrid grid = rounder.round(
        {weights, kInputs},
        importance == nullptr ? std::span<const float>() : std::span(importance, kInputs), codes);
    float minimum = 0;
    if (kMinimum && std::isfinite(grid.scale)) {
      // The block keeps scale * zero, not zero: round that, and the codes with it.
      minimum = to_float(to_fp16(-grid.scale * grid.zero));
      for (int i = 0; i < kInputs; ++i)
        codes[i] = static_cast<std::uint8_t>(std::clamp(
            std::nearbyint((weights[i] - minimum) / grid.scale), 0.0f, (1 << kBits) - 1.0f));
    }
    write(block, codes, &grid.scale, &minimum);
  }
};

struct Q4_0 : Legacy<4, false, false> {
  static constexpr std::string_view kName = "q4_0";
};
struct Q4_1 : Legacy<4, true, false> {
  static constexpr std::string_view kName = "q4_1";
};
struct Q5_0 : Legacy<5, false, true> {
  static constexpr std::string_view kName = "q5_0";
};
struct Q5_1 : Legacy<5, true, true> {
  static constexpr std::string_view kName = "q5_1";
};
struct Q8_0 : Legacy<8, false, false> {
  static constexpr std::string_view kName = "q8_0";
};

}  // namespace

Format q4_0_format() { return BlockFormat<Q4_0>::row(); }
Format q4_1_format() { return BlockFormat<Q4_1>::row(); }
Format q5_0_format() { return BlockFormat<Q5_0>::row(); }
Format q5_1_format() { return BlockFormat<Q5_1>::row(); }
Format q8_0_format() { return BlockFormat<Q8_0>::row(); }

std::span<const BlockCodes> legacy_block_codes() {
  static const std::array rows = {BlockFormat<Q4_0>::codes_row(), BlockFormat<Q4_1>::codes_row(),
                                  BlockFormat<Q5_0>::codes_row(), BlockFormat<Q5_1>::codes_row(),
                                  BlockFormat<Q8_0>::codes_row()};
  return rows;
}

}  // namespace farthing
