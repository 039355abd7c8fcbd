#include <bit>
#include <cstring>

#include "bench/roofs/loops.h"

namespace farthing::bench {
namespace {

struct Words {
  using Vector = std::uint64_t;
  FARTHING_SIMD Vector load(const std::byte* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  FARTHING_SIMD Vector exclusive_or(Vector a, Vector b) { return a ^ b; }
  FARTHING_SIMD std::uint64_t fold(Vector v) { return v; }
};

// Plain loops that the compiler may put into the vectors of the baseline, as it may the kernels.
constexpr int kLanes = 32;

std::int64_t fp32(std::int64_t rounds) {
  float sums[kLanes] = {};
  volatile float start = 0.5f;
  const float x = start;
  for (std::int64_t i = 0; i < rounds; ++i)
    for (float& sum : sums) sum = sum * x + x;
  std::int64_t result = 0;
  for (float sum : sums) result ^= std::bit_cast<std::int32_t>(sum);
  return result;
}

std::int64_t integers(std::int64_t rounds) {
  std::uint32_t sums[kLanes] = {};
  volatile std::uint32_t start = 3;
  const std::uint32_t x = start;
  for (std::int64_t i = 0; i < rounds; ++i)
    for (std::uint32_t& sum : sums) sum = sum * x + x;
  std::int64_t result = 0;
  for (std::uint32_t sum : sums) result ^= sum;
  return result;
}

constexpr PeakRoof kPeaks[] = {
    {Arithmetic::kFp32, "a * x + x", 2 * kLanes, fp32},
    {Arithmetic::kInt16, "a * x + x", 2 * kLanes, integers},
    {Arithmetic::kInt8, "a * x + x", 2 * kLanes, integers},
};

}  // namespace

RoofSet roofs_scalar() { return {Isa::kScalar, kReads<Words>, kPeaks}; }

}  // namespace farthing::bench
