#include <tuple>

#include "core/error.h"
#include "kernels/packed_matrix.h"
#include "tensor/float16.h"
#include "tests/kernels/linear_cases.h"
#include "tests/reference/linear_oracle.h"

namespace farthing::kernels {
namespace {

QuantizedTensor random_weight(Random& random, Shape shape, Element element) {
  QuantizedTensor tensor =
      allocate_tensor(shape, {.element = element, .bits = element == Element::kF32 ? 32 : 16});
  for (std::int64_t i = 0; i < shape.size(); ++i) {
    const float x = random_float(random);
    std::byte* bytes = tensor.parts[0].writable().data();
    if (element == Element::kF32) std::memcpy(bytes + 4 * i, &x, 4);
    const std::uint16_t half = element == Element::kBf16 ? to_bf16(x).bits : to_fp16(x).bits;
    if (element != Element::kF32) std::memcpy(bytes + 2 * i, &half, 2);
  }
  return tensor;
}

Linear pack(Runtime& runtime, const QuantizedTensor& weight,
            ActivationMode mode = ActivationMode::kF32) {
  const LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
  return Linear::pack(runtime, {&source, 1}, {.mode = mode});
}

class LinearFloat : public testing::TestWithParam<std::tuple<Isa, Element>> {
 protected:
  Isa isa() const { return std::get<0>(GetParam()); }
  Element element() const { return std::get<1>(GetParam()); }
};

TEST_P(LinearFloat, GivesThePromisedBitsForEveryShapeTokenCountAndThreadCount) {
  FARTHING_SKIP_UNTESTED(isa());
  Runtime one(1, runnable_isas().up_to(isa())), three(3, runnable_isas().up_to(isa()));
  Random random(1);
  for (std::int64_t in : {1, 2, 7, 16, 33, 255, 256, 257, 600})
    for (std::int64_t out : {1, 15, 16, 17, 50, 131}) {
      const QuantizedTensor weight = random_weight(random, {out, in}, element());
      const Linear linear = pack(one, weight);
      for (std::int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 17, 25}) {
        SCOPED_TRACE(fmt::format("{} inputs, {} outputs, {} tokens", in, out, tokens));
        const auto x = random_floats(random, tokens * in);
        const auto y = apply(one, linear, x, tokens);
        ASSERT_EQ(bits_of(y), bits_of(apply(three, linear, x, tokens)));
        for (std::int64_t o = 0; o < out; o += in > 100 ? 7 : 1) {
          const auto row = dequantized_row(weight, o);
          for (std::int64_t t = 0; t < tokens; ++t) {
            const auto xt = slice(x, t * in, in);
            const float got = y[static_cast<std::size_t>(t * out + o)];
            const reference::Dot dot = reference::dot(row, xt);
            ASSERT_EQ(got, reference::blocked_chain(row, xt)) << "output " << o << ", token " << t;
            ASSERT_NEAR(static_cast<double>(got), dot.exact, 0x1p-24 * 260 * dot.magnitude);
          }
        }
      }
    }
}

TEST_P(LinearFloat, KeepsInfinitiesAndExtremes) {
  FARTHING_SKIP_UNTESTED(isa());
  Runtime runtime(1, runnable_isas().up_to(isa()));
  Random random(2);
  const QuantizedTensor weight = random_weight(random, {20, 40}, element());
  const Linear linear = pack(runtime, weight);
  for (float size : {0x1p-149f, 0x1p-126f, 1e30f, INFINITY, NAN}) {
    std::vector<float> x(40 * 5, 0.0f);
    for (std::size_t t = 0; t < 5; ++t) x[t * 40 + 3] = size;
    const auto y = apply(runtime, linear, x, 5);
    for (std::int64_t o = 0; o < 20; ++o) {
      const float want = reference::blocked_chain(dequantized_row(weight, o), slice(x, 0, 40));
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(y[static_cast<std::size_t>(o)]));
      else
        EXPECT_EQ(y[static_cast<std::size_t>(o)], want);
    }
  }
}

TEST_P(LinearFloat, RoundsTheInputsInBf16Mode) {
  FARTHING_SKIP_UNTESTED(isa());
  Runtime runtime(1, runnable_isas().up_to(isa()));
  Random random(3);
  const QuantizedTensor weight = random_weight(random, {33, 70}, element());
  const auto x = random_floats(random, 6 * 70);
  auto rounded = x;
  for (float& value : rounded) value = to_float(to_bf16(value));
  for (std::int64_t tokens : {1, 6}) {
    const auto y = apply(runtime, pack(runtime, weight, ActivationMode::kBf16), x, tokens);
    EXPECT_EQ(bits_of(y), bits_of(apply(runtime, pack(runtime, weight), rounded, tokens)));
    EXPECT_NE(bits_of(y), bits_of(apply(runtime, pack(runtime, weight), x, tokens)));
  }
}

TEST_P(LinearFloat, UnpacksExactlyWhatWasPacked) {
  FARTHING_SKIP_UNTESTED(isa());
  Runtime runtime(2, runnable_isas().up_to(isa()));
  Random random(4);
  const QuantizedTensor weight = random_weight(random, {37, 19}, element());
  const Linear linear = pack(runtime, weight);
  std::vector<float> row(19);
  for (std::int64_t r = 0; r < 37; ++r) {
    linear.unpack_row(r, row);
    EXPECT_EQ(bits_of(row), bits_of(dequantized_row(weight, r)));
  }
}

std::string case_name(const testing::TestParamInfo<std::tuple<Isa, Element>>& info) {
  const auto [isa, element] = info.param;
  const char* name = element == Element::kF32 ? "fp32" : element == Element::kF16 ? "fp16" : "bf16";
  return fmt::format("{}_{}", isa_name(isa), name);
}

std::vector<Isa> float_levels() {
  std::vector<Isa> found;
  for (const LinearKernel& kernel : linear_kernels())
    if (kernel.packing == Packing::kF32 && is_listed(kernel.isa)) found.push_back(kernel.isa);
  return found;
}
INSTANTIATE_TEST_SUITE_P(Kernels, LinearFloat,
                         testing::Combine(testing::ValuesIn(float_levels()),
                                          testing::Values(Element::kF32, Element::kBf16,
                                                          Element::kF16)),
                         case_name);

TEST(Linear, StacksSourcesWithTheirBiasesAndRowOrders) {
  Runtime runtime(2);
  Random random(5);
  const QuantizedTensor a = random_weight(random, {19, 30}, Element::kBf16);
  const QuantizedTensor b = random_weight(random, {5, 30}, Element::kBf16);
  const auto bias = random_floats(random, 5);
  std::vector<std::int32_t> order(19);
  for (int i = 0; i < 19; ++i) order[static_cast<std::size_t>(i)] = (i * 7 + 3) % 19;
  const LinearSource sources[] = {{.weight = &a, .bias = {}, .row_order = order},
                                  {.weight = &b, .bias = bias, .row_order = {}}};
  const Linear stacked = Linear::pack(runtime, sources, {});
  ASSERT_EQ(stacked.out(), 24);
  const auto x = random_floats(random, 30);
  const auto y = apply(runtime, stacked, x, 1);
  for (std::int64_t o = 0; o < 24; ++o) {
    const auto row = o < 19 ? dequantized_row(a, order[static_cast<std::size_t>(o)])
                            : dequantized_row(b, o - 19);
    const float sum = reference::blocked_chain(row, x);
    EXPECT_EQ(y[static_cast<std::size_t>(o)],
              o < 19 ? sum : sum + bias[static_cast<std::size_t>(o - 19)]);
    std::vector<float> unpacked(30);
    stacked.unpack_row(o, unpacked);
    EXPECT_EQ(unpacked, row);
  }
}

TEST(Linear, TheEpilogueScalesThenAccumulates) {
  Runtime runtime(1);
  Random random(6);
  const QuantizedTensor weight = random_weight(random, {21, 10}, Element::kF32);
  const auto bias = random_floats(random, 21);
  const LinearSource source{.weight = &weight, .bias = bias, .row_order = {}};
  const Linear linear = Linear::pack(runtime, {&source, 1}, {});
  for (std::int64_t tokens : {1, 9}) {
    const auto x = random_floats(random, tokens * 10), before = random_floats(random, tokens * 21);
    const auto plain = apply(runtime, linear, x, tokens);
    const auto y = apply(runtime, linear, x, tokens, {.accumulate = true, .scale = 0.3f}, before);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], before[i] + plain[i] * 0.3f);
  }
}

TEST(Linear, ASlabIsAPartOfTheWholeAndTouchesNothingElse) {
  Runtime runtime(2);
  Random random(7);
  const QuantizedTensor weight = random_weight(random, {100, 64}, Element::kBf16);
  const Linear linear = pack(runtime, weight);
  for (std::int64_t tokens : {1, 7}) {
    const auto x = random_floats(random, tokens * 64);
    const auto whole = apply(runtime, linear, x, tokens);
    Activations inputs;
    inputs.assign({x.data(), tokens, 64});
    for (auto [first, count] : {std::pair{0, 16}, {16, 5}, {32, 48}, {96, 4}, {0, 100}}) {
      std::vector<float> y(static_cast<std::size_t>(tokens * 128), -1.0f);
      linear.apply_slab(runtime, inputs, first, {y.data(), tokens, count, 128});
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t c = 0; c < 128; ++c)
          ASSERT_EQ(y[static_cast<std::size_t>(t * 128 + c)],
                    c < count ? whole[static_cast<std::size_t>(t * 100 + first + c)] : -1.0f);
    }
  }
}

TEST(Linear, NewInputsAreNeverMistakenForTheOldOnes) {
  Runtime runtime(1);
  Random random(8);
  const QuantizedTensor weight = random_weight(random, {16, 32}, Element::kF32);
  const Linear linear = pack(runtime, weight);
  Activations inputs;
  std::vector<float> y(16 * 3);
  for (std::int64_t tokens : {3, 1, 2}) {
    const auto x = random_floats(random, tokens * 32);
    inputs.assign({x.data(), tokens, 32});
    linear.apply(runtime, inputs, {y.data(), tokens, 16});
    EXPECT_EQ(bits_of(slice(y, 0, tokens * 16)), bits_of(apply(runtime, linear, x, tokens)));
  }
}

TEST(ChooseKernel, TakesTheFirstRowThatSuitsAndMayRun) {
  IsaSet set;
  const auto isa = [&] {
    return choose_kernel(linear_kernels(), Packing::kBf16, ActivationMode::kF32, set)->isa;
  };
  EXPECT_EQ(isa(), Isa::kScalar);
#if defined(__x86_64__)
  set.add(Isa::kAvx2);
  EXPECT_EQ(isa(), Isa::kAvx2);
  set.add(Isa::kAvx512);
  EXPECT_EQ(isa(), Isa::kAvx512);
#elif defined(__aarch64__)
  set.add(Isa::kNeon);
  EXPECT_EQ(isa(), Isa::kNeon);
#endif
  EXPECT_EQ(choose_kernel(linear_kernels(), Packing::kBf16, ActivationMode::kInt8, set), nullptr);
}

TEST(Linear, RefusesFloatWeightsWithIntegerActivations) {
  Runtime runtime(1);
  Random random(9);
  const QuantizedTensor weight = random_weight(random, {16, 32}, Element::kF32);
  EXPECT_THROW(pack(runtime, weight, ActivationMode::kInt8), Error);
}

}  // namespace
}  // namespace farthing::kernels
