// Loops that reach a processor's limits, one set an instruction set: what kernels are measured
// against.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cpu.h"

namespace farthing::bench {

// Each function does a known amount of work and returns something that depends on all of it. Null
// where the level adds nothing to the ones below.
struct RoofKernels {
  Isa isa;
  std::uint64_t (*read)(const std::byte* bytes, std::size_t count);  // count a multiple of 1024
  float (*fp32)(std::int64_t rounds);  // rounds * fp32_flops operations
  std::int64_t fp32_flops;             // a round
  std::int32_t (*int8)(std::int64_t rounds);
  std::int64_t int8_ops;
  float (*bf16)(std::int64_t rounds);
  std::int64_t bf16_flops;
};

const RoofKernels& roofs_scalar();
#if defined(__x86_64__)
const RoofKernels& roofs_avx2();
const RoofKernels& roofs_avxvnni();
const RoofKernels& roofs_avx512();
const RoofKernels& roofs_avx512vnni();
const RoofKernels& roofs_avx512bf16();
#endif

}  // namespace farthing::bench
