#include "compress/pruning_notes.h"

#include <gmock/gmock.h>

namespace farthing::compress {
namespace {

using testing::HasSubstr;

std::string note(const std::string& scheme, double zeros, IsaSet isas = {}) {
  Plan plan;
  plan.units.emplace_back();
  plan.units[0].scheme = parse_scheme(scheme).weights;
  plan.units[0].shape = {64, 512};
  plan.units[0].keep_zeros = true;
  plan.units.emplace_back();  // not pruned: not spoken of
  std::vector<UnitReport> units(2);
  units[0].weights = 64 * 512;
  units[0].zeros = zeros;
  const auto notes = pruning_notes(plan, units, isas);
  EXPECT_EQ(notes.size(), 1u);
  return notes.at(0);
}

TEST(PruningNotes, CountBits) {
  EXPECT_DOUBLE_EQ(squeezed_bits(parse_scheme("w8g32").weights, 512, 0.5), 0.5 + 1 + 4);
  EXPECT_DOUBLE_EQ(squeezed_bits(parse_scheme("bf16").weights, 512, 0.7), 1 + 0.3 * 16);
  EXPECT_EQ(squeezed_bits(parse_scheme("w4g32-asym").weights, 512, 0.5), 0);
}

TEST(PruningNotes, SayWithNumbersWhereZerosDoNotPay) {
  EXPECT_THAT(note("w4g64", 0.5),
              HasSubstr("w4g64: 50.0 % of the pruned matrices' weights are zero, "
                        "which does not pay on this machine (scalar): squeezed "
                        "they would take 3.25 instead of 4.25 bits a weight"));
  EXPECT_THAT(note("w4g64", 0.5), HasSubstr("; w3g64 without zeros takes 3.25"));
  EXPECT_THAT(note("w4g64", 0.1), HasSubstr("too few to gain a byte"));
  EXPECT_THAT(note("w3g64", 0.5), HasSubstr("it gains no bytes and no time"));
}

}  // namespace
}  // namespace farthing::compress
