#include "bench/kernel_bench.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "formats/format.h"
#include "kernels/packed_matrix.h"

namespace farthing::bench {
namespace {

// A kernel that the bench cannot reach would never be measured.
TEST(KernelBench, ReachesEveryLinearKernelThatThisProcessorCanRun) {
  for (const kernels::LinearKernel& row : kernels::linear_kernels()) {
    if (!isas_here().has(row.isa)) continue;
    bool reached = false;
    for (std::string_view name : kernel_schemes())
      for (ActivationMode mode : kModes) {
        const QuantizedTensor tensor = allocate_tensor({16, 128}, parse_scheme(name).weights);
        reached |=
            kernels::choose_kernel(kernels::linear_kernels(), kernels::packing_of(tensor, mode),
                                   mode, isas_here().up_to(row.isa)) == &row;
      }
    EXPECT_TRUE(reached) << row.family << " " << isa_name(row.isa) << " packing "
                         << static_cast<int>(row.packing) << " bits " << row.input_bits;
  }
}

TEST(KernelBench, ACaseCountsItsWork) {
  Runtime runtime(1, isas_here().up_to(Isa::kScalar));
  LinearCase test(runtime, "w4g64", ActivationMode::kInt8, 300'000);
  EXPECT_EQ(test.kernel(), "code_tiles scalar");
  EXPECT_GE(test.bytes(), 300'000u);
  EXPECT_NEAR(test.bits_per_weight(), 4.25, 0.3);
  const Timed timed = test.run(runtime, 2, test.copies());
  EXPECT_EQ(timed.tokens, static_cast<double>(2 * test.copies()));
  EXPECT_EQ(timed.work.operations[index(ActivationMode::kInt8)], timed.tokens * 2 * 256 * 1024);
  EXPECT_EQ(timed.work.bytes, 0);  // so small that it stays in the caches
  EXPECT_GT(timed.seconds, 0);
}

TEST(KernelBench, APairWithoutAKernelIsUnsupported) {
  Runtime runtime(1, isas_here().up_to(Isa::kScalar));
  try {
    LinearCase(runtime, "nf4g64", ActivationMode::kInt8, 0);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUnsupported);
  }
}

}  // namespace
}  // namespace farthing::bench
