// Loops that reach a processor's limits, one set an instruction set: what kernels are measured
// against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/cpu.h"

namespace farthing::bench {

// One way of reading memory once. `streams` parts of it are read in lockstep, and what lies
// `prefetch` bytes ahead is asked for. The result depends on every byte.
struct ReadRoof {
  int streams = 1, prefetch = 0;
  std::uint64_t (*run)(const std::byte* bytes, std::size_t count) = nullptr;  // count: 4096 times n
};

enum class Arithmetic : std::uint8_t { kFp32, kBf16, kInt16, kInt8 };

// One way of multiplying and adding in registers, without memory. The result is the sum of what the
// first lane of each vector summed: products of 3 * 3, or of 0.5 * 0.5.
struct PeakRoof {
  Arithmetic arithmetic = Arithmetic::kFp32;
  std::string_view method;
  std::int64_t operations = 0;  // a round; a multiplication and an addition are two
  std::int64_t (*run)(std::int64_t rounds) = nullptr;
};

// What an instruction set adds to the ones below it.
struct RoofSet {
  Isa isa = Isa::kScalar;
  std::span<const ReadRoof> reads;
  std::span<const PeakRoof> peaks;
};

RoofSet roofs_scalar();
#if defined(__x86_64__)
RoofSet roofs_avx2();
RoofSet roofs_avxvnni();
RoofSet roofs_avx512();
RoofSet roofs_avx512vnni();
RoofSet roofs_avx512bf16();
#endif

}  // namespace farthing::bench
