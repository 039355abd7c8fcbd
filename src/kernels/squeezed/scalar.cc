#include "kernels/squeezed/body.h"

namespace farthing::kernels {
namespace {

struct Scalar {
  static void expand(std::uint64_t mask, const std::byte* values, std::byte* to,
                     std::uint8_t zero) {
    for (int i = 0; i < 64; ++i, mask >>= 1)
      to[i] = ((mask & 1) != 0 ? *values++ : std::byte{0}) ^ std::byte{zero};
  }
  static void expand_words(std::uint32_t mask, const std::byte* values, std::byte* to) {
    for (int i = 0; i < 32; ++i, mask >>= 1) {
      const bool kept = (mask & 1) != 0;
      to[2 * i] = kept ? values[0] : std::byte{0};
      to[2 * i + 1] = kept ? values[1] : std::byte{0};
      if (kept) values += 2;
    }
  }
  static void expand_halves(std::uint64_t low, const std::byte* low_values, std::uint64_t high,
                            const std::byte* high_values, std::byte* to, std::uint8_t zero) {
    int lows = 0, highs = 0;
    const auto next = [](const std::byte* values, int& n) {
      const std::byte half = values[n / 2] >> (n % 2 * 4) & std::byte{15};
      ++n;
      return half;
    };
    for (int i = 0; i < 64; ++i) {
      std::byte both{0};
      if ((low >> i & 1) != 0) both |= next(low_values, lows);
      if ((high >> i & 1) != 0) both |= next(high_values, highs) << 4;
      to[i] = both ^ std::byte{zero};
    }
  }
};

}  // namespace

void expand_scalar(const SqueezedTiles& s, const std::byte* from, std::byte* to) {
  expand<Scalar>(s, from, to);
}

}  // namespace farthing::kernels
