#include "kernels/self_test.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/kernels/levels.h"

namespace farthing::kernels {
namespace {

struct Result {
  IsaSet isas;
  std::vector<std::string> warnings;
};
Result test(IsaSet isas, std::span<const LinearKernel> table = linear_kernels()) {
  Result result;
  const auto warn = [&](std::string_view sentence) { result.warnings.emplace_back(sentence); };
  result.isas = self_tested(isas, warn, table);
  return result;
}

TEST(SelfTest, KeepsEveryLevelOfThisProcessor) {
  const Result result = test(runnable_isas());
  EXPECT_THAT(result.warnings, testing::IsEmpty());
  for (const Isa isa : known_isas()) EXPECT_EQ(result.isas.has(isa), runnable_isas().has(isa));
}

// Rows that lie: the scalar kernel's work, then one thing about it wrong.
const LinearKernel& scalar_row(Packing packing, ActivationMode mode) {
  return *choose_kernel(linear_kernels(), packing, mode, IsaSet());
}
void wrong_last_output(const LinearSlice& slice) {
  scalar_row(Packing::kU4, ActivationMode::kInt8).run(slice);
  if (slice.tokens > 1) slice.y[(slice.tokens - 1) * slice.y_stride] += 1e-6f;
}
void no_number(const LinearSlice& slice) {
  scalar_row(Packing::kF32, ActivationMode::kF32).run(slice);
  slice.y[0] = __builtin_nanf("");
}

std::vector<LinearKernel> table_with(LinearKernel row, Isa isa, LinearRun run) {
  row.isa = isa;
  row.run = run;
  std::vector<LinearKernel> table;
  table.push_back(row);
  for (const LinearKernel& other : linear_kernels()) table.push_back(other);
  return table;
}

// A level without any kernels in this program, whose name the lying rows take.
constexpr Isa kLying = is_built(Isa::kNeonDot) ? Isa::kAvxVnni : Isa::kNeonDot;
IsaSet lying() {
  IsaSet isas;
  isas.add(kLying);
  return isas;
}

TEST(SelfTest, DropsALevelWhoseKernelIsWrongByOneBitWithOneSentence) {
  const auto table =
      table_with(scalar_row(Packing::kU4, ActivationMode::kInt8), kLying, wrong_last_output);
  const Result result = test(lying(), table);
  EXPECT_FALSE(result.isas.has(kLying));
  EXPECT_THAT(result.warnings,
              testing::ElementsAre("the " + std::string(isa_name(kLying)) +
                                   " kernels compute wrong results on this "
                                   "processor; going on without them, with scalar"));
}

TEST(SelfTest, KernelsThatPromiseLessThanBitsAreStillHeldToNumbers) {
  LinearKernel row = scalar_row(Packing::kF32, ActivationMode::kF32);
  row.exact = false;
  EXPECT_TRUE(test(lying(), table_with(row, kLying, row.run)).warnings.empty());
  EXPECT_FALSE(test(lying(), table_with(row, kLying, no_number)).isas.has(kLying));
}

}  // namespace
}  // namespace farthing::kernels
