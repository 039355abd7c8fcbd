#include "bench/roofs/roofs.h"

#include <gtest/gtest.h>

#include "bench/machine.h"
#include "bench/probes.h"

namespace farthing::bench {
namespace {

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::uint32_t state = 1;
  for (std::byte& b : bytes)
    b = static_cast<std::byte>((state = state * 1664525u + 1013904223u) >> 24);
  return bytes;
}

TEST(Roofs, AReadSeesEveryByteOnce) {
  std::vector<std::byte> bytes = some_bytes(8192);
  for (const RoofSet& set : roof_sets(isas_here()))
    for (const ReadRoof& roof : set.reads) {
      std::uint64_t words = 0;  // all words of 64 bits, exclusive-ored
      for (std::size_t i = 0; i < bytes.size(); ++i)
        words ^= static_cast<std::uint64_t>(bytes[i]) << (8 * (i % 8));
      EXPECT_EQ(roof.run(bytes.data(), bytes.size()), words)
          << isa_name(set.isa) << " " << roof.streams << " " << roof.prefetch;
    }
}

// The first lane of a vector tells how many products each lane summed, so the claimed number of
// operations can be counted.
TEST(Roofs, APeakDoesTheOperationsItCounts) {
  constexpr std::int64_t kRounds = 40;
  for (const RoofSet& set : roof_sets(isas_here())) {
    if (set.isa == Isa::kScalar) continue;
    const std::int64_t lanes = set.isa >= Isa::kAvx512 ? 16 : 8;
    for (const PeakRoof& roof : set.peaks) {
      const bool floats =
          roof.arithmetic == Arithmetic::kFp32 || roof.arithmetic == Arithmetic::kBf16;
      const double product = floats ? 0.25 : 9;
      const double products = static_cast<double>(kRounds * roof.operations / 2 / lanes);
      EXPECT_EQ(static_cast<double>(roof.run(kRounds)), product * products) << roof.method;
    }
  }
}

TEST(Roofs, EveryInstructionSetThatMultipliesBringsAPeakForItsOwnArithmetic) {
  for (const RoofSet& set : roof_sets(isas_here())) {
    EXPECT_FALSE(set.peaks.empty()) << isa_name(set.isa);
    for (const PeakRoof& roof : set.peaks) EXPECT_GT(roof.operations, 0) << roof.method;
  }
}

TEST(Probes, TryEveryPatternAndKeepTheBestFirst) {
  Runtime runtime(2);
  ReadProbe probe(runtime, std::size_t{4} << 20);
  std::size_t patterns = 0;
  for (const RoofSet& set : roof_sets(runtime.isas)) patterns += 2 * set.reads.size();
  EXPECT_EQ(probe.tried().size(), patterns);
  for (const ReadSpeed& speed : probe.tried()) EXPECT_LE(speed.gb_s, probe.best().gb_s);
  EXPECT_GT(probe.tried().back().gb_s, 0);
  EXPECT_GT(probe.gb_per_s(), 0);
}

TEST(Probes, AForcedInstructionSetBoundsWhatIsProbed) {
  Runtime runtime(1, isas_here().up_to(Isa::kScalar));
  ReadProbe probe(runtime, std::size_t{4} << 20);
  for (const ReadSpeed& speed : probe.tried()) EXPECT_EQ(speed.pattern.isa, Isa::kScalar);
  for (const PeakSpeed& peak : measure_peaks(runtime)) EXPECT_EQ(peak.isa, Isa::kScalar);
}

TEST(Probes, EveryModeHasAPeakAndBf16IsNoSlowerThanFp32) {
  Runtime runtime(1);
  const std::vector<PeakSpeed> peaks = measure_peaks(runtime);
  for (ActivationMode mode : kModes) EXPECT_GT(peak_of(peaks, mode).gop_s(), 0);
  EXPECT_GE(peak_of(peaks, ActivationMode::kBf16).gop_s(),
            peak_of(peaks, ActivationMode::kF32).gop_s());
  EXPECT_GE(2 * peak_of(peaks, ActivationMode::kInt16).gop_s(),
            peak_of(peaks, ActivationMode::kInt8).gop_s());
  EXPECT_GT(gop_per_s(runtime, peak_of(peaks, ActivationMode::kInt8)), 0);
}

TEST(LeastTime, IsThatOfTheNearerRoof) {
  Roofs roofs{.read_gb_s = 10, .gop_s = {}};
  roofs.gop_s[index(ActivationMode::kInt8)] = 100;
  roofs.gop_s[index(ActivationMode::kBf16)] = 50;
  Work work{.bytes = 20e9, .operations = {}};
  EXPECT_DOUBLE_EQ(least_time(work, roofs).seconds(), 2);
  EXPECT_TRUE(least_time(work, roofs).memory_bound());
  work.operations[index(ActivationMode::kInt8)] = 200e9;
  work.operations[index(ActivationMode::kBf16)] = 100e9;
  EXPECT_DOUBLE_EQ(least_time(work, roofs).compute, 4);
  EXPECT_FALSE(least_time(work, roofs).memory_bound());
  EXPECT_DOUBLE_EQ(least_time(work.times(0.5), roofs).seconds(), 2);
}

}  // namespace
}  // namespace farthing::bench
