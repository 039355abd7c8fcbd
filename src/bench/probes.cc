#include "bench/probes.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>

#include "bench/measure.h"
#include "core/error.h"

namespace farthing::bench {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Keeps a result alive without anybody reading it.
template <class T>
void keep(T value) {
  asm volatile("" : : "r"(value) : "memory");
}

// Operations a second of `rounds` on every thread.
double rate(Runtime& runtime, const PeakRoof& roof, std::int64_t rounds) {
  const auto start = Clock::now();
  runtime.pool.run([&](int) { keep(roof.run(rounds)); });
  return static_cast<double>(rounds * roof.operations * runtime.pool.size()) / seconds_since(start);
}

// Rates of some runs of a few milliseconds: enough for the system to spread the threads.
std::vector<double> rates(Runtime& runtime, const PeakRoof& roof) {
  std::int64_t rounds = 1000;
  for (auto start = Clock::now(); rounds < 1'000'000'000; rounds *= 2, start = Clock::now()) {
    rate(runtime, roof, rounds);
    if (seconds_since(start) > 4e-3) break;
  }
  std::vector<double> rates(7);
  for (double& each : rates) each = rate(runtime, roof, rounds);
  return rates;
}

// Of passes that do the same work: all of it by all of the time.
double mean_rate(const std::vector<double>& rates) {
  double seconds = 0;
  for (double each : rates) seconds += 1 / each;
  return static_cast<double>(rates.size()) / seconds;
}

}  // namespace

std::vector<RoofSet> roof_sets(IsaSet isas) {
  std::vector<RoofSet> sets = {roofs_scalar()};
#if defined(__x86_64__)
  for (const RoofSet& set :
       {roofs_avx2(), roofs_avxvnni(), roofs_avx512(), roofs_avx512vnni(), roofs_avx512bf16()})
    sets.push_back(set);
#endif
  std::erase_if(sets, [&](const RoofSet& set) { return !isas.has(set.isa); });
  return sets;
}

ProbeMemory::ProbeMemory(Runtime& runtime, std::size_t bytes, bool huge_pages)
    : huge_pages_(huge_pages) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    out_of_resources("cannot allocate {} bytes to measure the memory's speed", bytes);
  bytes_ = {static_cast<std::byte*>(memory), bytes};
  // Only advice: without it the system's default holds.
  madvise(memory, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  runtime.parallel_shares(
      static_cast<std::int64_t>(bytes), kMiB, [&](std::int64_t begin, std::int64_t end) {
        std::memset(bytes_.data() + begin, 1, static_cast<std::size_t>(end - begin));
      });
}

ProbeMemory::~ProbeMemory() { munmap(bytes_.data(), bytes_.size()); }

std::size_t probe_bytes() {
  // The share of the last cache that one core sees; sysconf() counts that of the whole socket.
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::size_t kib = 0;
  file >> kib;
  const std::size_t wanted = std::clamp(4 * kib * 1024, 256 * kMiB, 1024 * kMiB);
  const std::size_t allowed = machine_limits().memory_bytes / 8;
  return std::max(std::min(wanted, allowed) / kMiB, std::size_t{4}) * kMiB;
}

std::string ReadPattern::name() const {
  return fmt::format("{}, {} stream{}, {}, {} pages", isa_name(isa), roof.streams,
                     roof.streams == 1 ? "" : "s",
                     roof.prefetch == 0 ? "no prefetch" : fmt::format("prefetch {}", roof.prefetch),
                     huge_pages ? "2M" : "4K");
}

ReadProbe::ReadProbe(Runtime& runtime, std::size_t bytes)
    : runtime_(runtime),
      memory_{std::make_unique<ProbeMemory>(runtime, bytes, false),
              std::make_unique<ProbeMemory>(runtime, bytes, true)} {
  for (const RoofSet& set : roof_sets(runtime.isas))
    for (const ReadRoof& roof : set.reads)
      for (bool huge : {false, true}) tried_.push_back({{set.isa, roof, huge}, 0});
  // Twice all, then the half that did best, and so on: a slow moment must not decide.
  for (std::size_t count = tried_.size(); count > 0; count /= 2) {
    for (int round = 0; round < 2; ++round)
      for (std::size_t i = 0; i < count; ++i)
        tried_[i].gb_s = std::max(tried_[i].gb_s, pass(tried_[i].pattern));
    std::ranges::stable_sort(tried_, std::greater{}, &ReadSpeed::gb_s);
  }
  memory_[best().pattern.huge_pages ? 0 : 1].reset();
}

double ReadProbe::gb_per_s() {
  const ReadPattern pattern = best().pattern;
  std::vector<double> passes(5);
  for (double& each : passes) each = pass(pattern);
  return mean_rate(passes);
}

double ReadProbe::pass(const ReadPattern& pattern) {
  const auto bytes = memory_[pattern.huge_pages ? 1 : 0]->bytes();
  const auto start = Clock::now();
  runtime_.parallel_shares(
      static_cast<std::int64_t>(bytes.size()), kMiB, [&](std::int64_t begin, std::int64_t end) {
        keep(pattern.roof.run(bytes.data() + begin, static_cast<std::size_t>(end - begin)));
      });
  return static_cast<double>(bytes.size()) / seconds_since(start) / 1e9;
}

std::vector<PeakSpeed> measure_peaks(Runtime& runtime) {
  std::vector<PeakSpeed> peaks;
  for (const RoofSet& set : roof_sets(runtime.isas))
    for (const PeakRoof& roof : set.peaks)
      peaks.push_back({set.isa, roof, std::ranges::max(rates(runtime, roof)) / 1e9});
  return peaks;
}

ModePeak peak_of(std::span<const PeakSpeed> peaks, ActivationMode mode) {
  ModePeak best;
  const auto offer = [&](const PeakSpeed& speed, int passes) {
    if (speed.gop_s / passes > best.gop_s()) best = {speed, passes};
  };
  for (const PeakSpeed& peak : peaks) {
    const Arithmetic a = peak.roof.arithmetic;
    if (a == Arithmetic::kInt8 && mode == ActivationMode::kInt8) offer(peak, 1);
    if (a == Arithmetic::kInt8 && mode == ActivationMode::kInt16) offer(peak, 2);
    if (a == Arithmetic::kInt16 && mode == ActivationMode::kInt16) offer(peak, 1);
    if (a == Arithmetic::kBf16 && mode == ActivationMode::kBf16) offer(peak, 1);
    const bool floats = mode == ActivationMode::kF32 || mode == ActivationMode::kBf16;
    if (a == Arithmetic::kFp32 && floats) offer(peak, 1);
  }
  return best;
}

double gop_per_s(Runtime& runtime, const ModePeak& peak) {
  return mean_rate(rates(runtime, peak.speed.roof)) / peak.passes / 1e9;
}

}  // namespace farthing::bench
