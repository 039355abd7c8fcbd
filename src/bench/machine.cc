#include "bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "bench/roofs/roofs.h"

namespace farthing::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<const RoofKernels*> roofs_of(const IsaSet& isas) {
  std::vector<const RoofKernels*> all = {&roofs_scalar()};
#if defined(__x86_64__)
  for (const RoofKernels* r :
       {&roofs_avx2(), &roofs_avxvnni(), &roofs_avx512(), &roofs_avx512vnni(), &roofs_avx512bf16()})
    all.push_back(r);
#endif
  std::erase_if(all, [&](const RoofKernels* r) { return !isas.has(r->isa); });
  return all;
}

// Keeps a result alive without anybody reading it.
template <class T>
void keep(T value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// Operations a second of fn(rounds) on all threads, the best of five runs of some milliseconds.
template <class F>
double rate(Runtime& runtime, F fn, std::int64_t ops_a_round) {
  constexpr std::int64_t kRounds = 400'000;
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto start = Clock::now();
    runtime.pool.run([&](int) { keep(fn(kRounds)); });
    best = std::max(best, static_cast<double>(kRounds * ops_a_round * runtime.pool.size()) /
                              seconds_since(start));
  }
  return best;
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

ReadProbe::ReadProbe(Runtime& runtime, std::size_t bytes) : runtime_(runtime), memory_(bytes) {
  // Each thread touches first what it will read.
  runtime.parallel_shares(
      static_cast<std::int64_t>(bytes), 1 << 20, [&](std::int64_t begin, std::int64_t end) {
        std::memset(memory_.data() + begin, 1, static_cast<std::size_t>(end - begin));
      });
}

double ReadProbe::gb_per_s() {
  double best = 0;
  for (const RoofKernels* roof : roofs_of(runtime_.isas)) {
    if (roof->read == nullptr ||
        (roof->isa == Isa::kScalar && runtime_.isas.best() != Isa::kScalar))
      continue;
    const auto start = Clock::now();
    runtime_.parallel_shares(
        static_cast<std::int64_t>(memory_.size()), 1 << 20,
        [&](std::int64_t begin, std::int64_t end) {
          keep(roof->read(memory_.data() + begin, static_cast<std::size_t>(end - begin)));
        });
    best = std::max(best, static_cast<double>(memory_.size()) / seconds_since(start) / 1e9);
  }
  return best;
}

Roofs measure_roofs(Runtime& runtime) {
  Roofs roofs;
  {
    ReadProbe probe(runtime);
    for (int repeat = 0; repeat < 5; ++repeat)
      roofs.read_gb_s = std::max(roofs.read_gb_s, probe.gb_per_s());
  }
  for (const RoofKernels* roof : roofs_of(runtime.isas)) {
    if (roof->fp32 != nullptr)
      roofs.fp32_gflop_s =
          std::max(roofs.fp32_gflop_s, rate(runtime, roof->fp32, roof->fp32_flops) / 1e9);
    if (roof->int8 != nullptr)
      roofs.int8_gop_s =
          std::max(roofs.int8_gop_s, rate(runtime, roof->int8, roof->int8_ops) / 1e9);
    if (roof->bf16 != nullptr)
      roofs.bf16_gflop_s =
          std::max(roofs.bf16_gflop_s, rate(runtime, roof->bf16, roof->bf16_flops) / 1e9);
  }
  roofs.bf16_gflop_s = std::max(roofs.bf16_gflop_s, roofs.fp32_gflop_s);  // BF16 widened to FP32
  return roofs;
}

}  // namespace farthing::bench
