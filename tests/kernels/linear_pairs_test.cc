// BF16 weights times BF16 inputs by instructions that add two products at a time: near the exact
// sum, and the same for any company of tokens and any threads.
#include "kernels/packed_matrix.h"
#include "tensor/float16.h"
#include "tests/kernels/linear_cases.h"
#include "tests/reference/linear_oracle.h"

namespace farthing::kernels {
namespace {

QuantizedTensor random_weight(Random& random, Shape shape) {
  QuantizedTensor tensor = allocate_tensor(shape, {.element = Element::kBf16, .bits = 16});
  for (std::int64_t i = 0; i < shape.size(); ++i) {
    const Bf16 half = to_bf16(random_float(random));
    std::memcpy(tensor.parts[0].writable().data() + 2 * i, &half.bits, 2);
  }
  return tensor;
}

std::vector<float> random_bf16(Random& random, std::int64_t count) {
  std::vector<float> x = random_floats(random, count);
  for (float& value : x) value = to_float(to_bf16(value));
  return x;
}

class LinearPairs : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { FARTHING_SKIP_UNTESTED(GetParam()); }
  Runtime runtime(int threads) const {
    IsaSet only;
    only.add(GetParam());
    return Runtime(threads, only);
  }
  Linear pack(Runtime& runtime, const QuantizedTensor& weight) const {
    const LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
    Linear linear = Linear::pack(runtime, {&source, 1}, {.mode = ActivationMode::kBf16});
    EXPECT_EQ(linear.kernel(), fmt::format("float_tiles {}", isa_name(GetParam())));
    return linear;
  }
};

TEST_P(LinearPairs, IsNearTheExactSumForEveryShapeAndTokenCount) {
  Runtime one = runtime(1), three = runtime(3);
  Random random(1);
  for (std::int64_t in : {1, 2, 3, 16, 31, 32, 33, 64, 257, 513, 600})
    for (std::int64_t out : {1, 15, 16, 17, 50}) {
      const QuantizedTensor weight = random_weight(random, {out, in});
      const Linear linear = pack(one, weight);
      for (std::int64_t tokens : {1, 2, 5, 12, 15, 16, 17, 33, 100}) {
        SCOPED_TRACE(fmt::format("{} inputs, {} outputs, {} tokens", in, out, tokens));
        const auto x = random_bf16(random, tokens * in);
        const auto y = apply(one, linear, x, tokens);
        ASSERT_EQ(bits_of(y), bits_of(apply(three, linear, x, tokens)));
        for (std::int64_t t = 0; t < tokens; t += 4)
          for (std::int64_t o = 0; o < out; ++o) {
            const auto dot = reference::dot(dequantized_row(weight, o), slice(x, t * in, in));
            // Each of at most in + 2 additions rounds by 2^-24 of what was added so far.
            ASSERT_NEAR(static_cast<double>(y[static_cast<std::size_t>(t * out + o)]), dot.exact,
                        0x1p-23 * static_cast<double>(in + 2) * dot.magnitude);
          }
      }
    }
}

TEST_P(LinearPairs, ATokenDoesNotDependOnItsCompany) {
  Runtime two = runtime(2);
  Random random(2);
  const QuantizedTensor weight = random_weight(random, {75, 190});
  const Linear linear = pack(two, weight);
  const auto x = random_bf16(random, 40 * 190);
  const auto all = apply(two, linear, x, 40);
  for (std::int64_t tokens = 1; tokens < 40; ++tokens) {
    const auto some = apply(two, linear, slice(x, (40 - tokens) * 190, tokens * 190), tokens);
    ASSERT_EQ(bits_of(some), bits_of(slice(all, (40 - tokens) * 75, tokens * 75))) << tokens;
  }
}

TEST_P(LinearPairs, RoundsItsInputsToBf16AndLeavesThatToItsOwnMode) {
  Runtime one = runtime(1);
  Random random(3);
  const QuantizedTensor weight = random_weight(random, {20, 64});
  const auto x = random_floats(random, 3 * 64);
  auto rounded = x;
  for (float& value : rounded) value = to_float(to_bf16(value));
  const Linear linear = pack(one, weight);
  EXPECT_EQ(bits_of(apply(one, linear, x, 3)), bits_of(apply(one, linear, rounded, 3)));
  IsaSet set;
  set.add(GetParam());
  EXPECT_EQ(choose_kernel(linear_kernels(), Packing::kBf16, ActivationMode::kF32, set)->isa,
            Isa::kScalar);
}

TEST_P(LinearPairs, AnInfinityOrANaNReachesItsTokenAlone) {
  Runtime one = runtime(1);
  Random random(4);
  const QuantizedTensor weight = random_weight(random, {20, 70});
  const Linear linear = pack(one, weight);
  for (float bad : {INFINITY, NAN}) {
    auto x = random_floats(random, 18 * 70);
    x[70 + 69] = bad;
    const auto y = apply(one, linear, x, 18);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isfinite(y[i]), i / 20 != 1);
  }
}

std::vector<Isa> pair_levels() {
  std::vector<Isa> found;
  for (const LinearKernel& kernel : linear_kernels())
    if (kernel.form == InputForm::kPairs) found.push_back(kernel.isa);
  return found;
}
INSTANTIATE_TEST_SUITE_P(Kernels, LinearPairs, testing::ValuesIn(pair_levels()),
                         [](const auto& test) { return std::string(isa_name(test.param)); });

}  // namespace
}  // namespace farthing::kernels
