// GGUF's iq4_nl and iq4_xs: nibbles that index a table of 16 levels, denser near zero.
#include "formats/gguf_block.h"

namespace farthing {
namespace {

constexpr float kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};

struct Iq4Nl {
  static constexpr std::string_view kName = "iq4_nl";
  static constexpr int kInputs = 32, kBytes = 18, kGroup = 32, kBits = 4, kBias = 0;
  static constexpr bool kOffsets = false, kF16Scales = true;
  static constexpr const float* kCodebook = kLevels;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float*) {
    scales[0] = load_half(block);
    read_nibbles(block + 2, codes);
  }
  static void write(std::byte* block, const std::uint8_t* codes, const float* scales,
                    const float*) {
    store_half(block, scales[0]);
    write_nibbles(block + 2, codes);
  }
};

// Eight groups; their 6-bit scales lie four bits in bytes 4 .. 7 and two bits in bytes 2 .. 3.
struct Iq4Xs {
  static constexpr std::string_view kName = "iq4_xs";
  static constexpr int kInputs = 256, kBytes = 136, kGroup = 32, kBits = 4, kBias = 0;
  static constexpr int kFactorAt = 0, kMinimumFactorAt = 0;
  static constexpr bool kOffsets = false, kF16Scales = false;
  static constexpr const float* kCodebook = kLevels;

  static void read(const std::byte* block, std::uint8_t* codes, float* scales, float*) {
    const float d = load_half(block);
    const int high = load<std::uint16_t>(block + 2);
    for (int g = 0; g < 8; ++g) {
      const int low = std::to_integer<int>(block[4 + g / 2]) >> (g % 2 * 4) & 15;
      scales[g] = d * static_cast<float>((low | (high >> (2 * g) & 3) << 4) - 32);
      read_nibbles(block + 8 + 16 * g, codes + 32 * g);
    }
  }
};

}  // namespace

Format iq4_nl_format() { return BlockFormat<Iq4Nl>::row(); }
Format iq4_xs_format() { return BlockFormat<Iq4Xs>::row(); }

}  // namespace farthing
