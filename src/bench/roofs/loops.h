// The loops behind the roofs, written once over what an instruction set calls a vector.
#pragma once

#include "bench/roofs/roofs.h"
#include "simd/inline.h"

namespace farthing::bench {
// Internal linkage: the files of several instruction sets include this, and the linker must not
// pick one's function for another.
namespace {

// V: Vector, load(bytes), exclusive_or(a, b), fold(v) to 64 bits.
template <class V, int kStreams, int kPrefetch>
std::uint64_t read_memory(const std::byte* bytes, std::size_t count) {
  constexpr std::size_t kWidth = sizeof(typename V::Vector), kStep = 256, kSums = kStep / kWidth;
  constexpr std::size_t kUsed = kSums < 8 ? kSums : 8;  // sums held in registers
  const std::size_t part = count / kStreams;
  typename V::Vector sums[kUsed] = {};
  for (std::size_t i = 0; i < part; i += kStep) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      const std::byte* p = bytes + s * part + i;
      if constexpr (kPrefetch > 0)
        for (std::size_t line = 0; line < kStep; line += 64)
          __builtin_prefetch(p + kPrefetch + line, 0, 3);
#pragma GCC unroll 32
      for (std::size_t j = 0; j < kSums; ++j)
        sums[j % kUsed] = V::exclusive_or(sums[j % kUsed], V::load(p + j * kWidth));
    }
  }
  for (std::size_t j = 1; j < kUsed; ++j) sums[0] = V::exclusive_or(sums[0], sums[j]);
  return V::fold(sums[0]);
}

// Which way is the fastest differs between processors, and between minutes on a shared one.
template <class V>
constexpr ReadRoof kReads[] = {
    {1, 0, read_memory<V, 1, 0>},       {1, 512, read_memory<V, 1, 512>},
    {1, 1024, read_memory<V, 1, 1024>}, {1, 2048, read_memory<V, 1, 2048>},
    {1, 4096, read_memory<V, 1, 4096>}, {1, 8192, read_memory<V, 1, 8192>},
    {2, 0, read_memory<V, 2, 0>},       {2, 2048, read_memory<V, 2, 2048>},
    {4, 0, read_memory<V, 4, 0>},       {4, 1024, read_memory<V, 4, 1024>},
};

// Hides from the compiler what a vector holds, or it would find shortcuts.
template <class V>
FARTHING_SIMD void forget(V& v) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(v));
#else
  asm volatile("" : "+w"(v));
#endif
}

// Enough independent sums to hide the latency of any multiplier: each round adds one product to
// each. D: Sum, Input, start() -> Input, add_product(Sum, Input), first(Sum) -> its first lane.
template <class D, int kSums>
std::int64_t multiply_add(std::int64_t rounds) {
  typename D::Sum sums[kSums] = {};
  for (auto& sum : sums) forget(sum);  // equal sums would become one
  typename D::Input x = D::start();
  for (std::int64_t i = 0; i < rounds; ++i) {
    forget(x);
#pragma GCC unroll 32
    for (int s = 0; s < kSums; ++s) sums[s] = D::add_product(sums[s], x);
  }
  std::int64_t result = 0;
  for (int s = 0; s < kSums; ++s) result += static_cast<std::int64_t>(D::first(sums[s]));
  return result;
}

}  // namespace
}  // namespace farthing::bench
