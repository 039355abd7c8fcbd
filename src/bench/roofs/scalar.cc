#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

std::uint64_t read(const std::byte* bytes, std::size_t count) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(bytes);
  std::uint64_t sum[4] = {};
  for (std::size_t i = 0; i < count / 8; i += 4)
    for (std::size_t j = 0; j < 4; ++j) sum[j] ^= words[i + j];
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

float fp32(std::int64_t rounds) {
  float acc[8] = {};
  volatile float seed = 0.5f;
  const float x = seed;
  for (std::int64_t i = 0; i < rounds; ++i)
    for (float& a : acc) a = a * x + x;
  float sum = 0;
  for (float a : acc) sum += a;
  return sum;
}

std::int32_t int8(std::int64_t rounds) {
  std::int32_t acc[8] = {};
  volatile std::int8_t seed = 3;
  const std::int32_t x = seed;
  for (std::int64_t i = 0; i < rounds; ++i)
    for (std::int32_t& a : acc)
      a = static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * 3u +
                                    static_cast<std::uint32_t>(x));
  std::int32_t sum = 0;
  for (std::int32_t a : acc) sum ^= a;
  return sum;
}

}  // namespace

const RoofKernels& roofs_scalar() {
  static constexpr RoofKernels kRoofs{Isa::kScalar, read, fp32, 16, int8, 16, nullptr, 0};
  return kRoofs;
}

}  // namespace farthing::bench
