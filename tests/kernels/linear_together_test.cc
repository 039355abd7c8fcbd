// Linears that read one input and run as one piece of work: the bits of each by itself.
#include "formats/quant_scheme.h"
#include "tests/kernels/linear_cases.h"

namespace farthing::kernels {
namespace {

// Linears of these schemes and outputs, of 96 inputs; every third has a bias, one is half zeros.
std::vector<Linear> some_linears(Runtime& runtime, Random& random, std::size_t count) {
  constexpr std::array<std::string_view, 6> kSchemes = {"w4g32", "w8g32", "bf16",
                                                        "w5g32", "w8c",   "w3g32"};
  constexpr std::array<std::int64_t, 5> kOutputs = {64, 1, 17, 300, 16};
  std::vector<Linear> linears;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name(kSchemes[i % kSchemes.size()]);
    const Shape shape{kOutputs[i % kOutputs.size()], 96};
    QuantizedTensor weight = allocate_tensor(shape, parse_scheme(name).weights);
    std::vector<float> numbers = random_floats(random, shape.size());
    if (i == 1)
      for (std::size_t j = 0; j < numbers.size(); j += 2) numbers[j] = 0;
    weight.format->quantize(weight, 0, {numbers.data(), shape.rows, shape.cols},
                            {.method = RoundMethod::kMinMax, .importance = {}});
    const std::vector<float> bias = random_floats(random, i % 3 == 0 ? shape.rows : 0);
    const LinearSource source{.weight = &weight, .bias = bias, .row_order = {}};
    const ActivationMode mode = i % 2 == 0 ? ActivationMode::kInt8 : ActivationMode::kInt16;
    const ActivationScheme scheme =
        resolve_activations(weight.scheme, name == "bf16" ? nullptr : &mode);
    linears.push_back(Linear::pack(runtime, {&source, 1}, scheme));
  }
  return linears;
}

void expect_equal_bits(Runtime& runtime, std::size_t count, std::int64_t tokens, Random& random) {
  const std::vector<Linear> linears = some_linears(runtime, random, count);
  std::int64_t out = 0;
  for (const Linear& linear : linears) out += linear.out();
  const std::vector<float> x = random_floats(random, tokens * 96);
  const Epilogue epilogue{.accumulate = tokens == 2, .scale = tokens == 2 ? 0.5f : 1.0f};
  std::vector<float> alone = random_floats(random, tokens * out), together = alone;
  Activations inputs;
  inputs.assign({x.data(), tokens, 96});
  const MatrixView<float> to(alone.data(), tokens, out);
  std::int64_t first = 0;
  for (const Linear& linear : linears) {
    linear.apply(runtime, inputs, to.cols_from(first, linear.out()), epilogue);
    first += linear.out();
  }
  inputs.assign({x.data(), tokens, 96});
  Linear::apply_all(runtime, linears, inputs, {together.data(), tokens, out}, epilogue);
  ASSERT_EQ(bits_of(together), bits_of(alone));
}

TEST(LinearTogether, HaveTheBitsOfEachByItself) {
  IsaSet scalar;
  scalar.add(Isa::kScalar);
  for (const IsaSet& isas : {isas_here(), scalar})
    for (const int threads : {1, 2, 5}) {
      Runtime runtime(threads, isas);
      Random random(3);
      for (const std::size_t count : {0, 1, 2, 7, 16, 17, 40})
        for (const std::int64_t tokens : {0, 1, 2, 8, 9, 20}) {
          SCOPED_TRACE(fmt::format("{} linears, {} tokens, {} threads", count, tokens, threads));
          expect_equal_bits(runtime, count, tokens, random);
        }
    }
}

}  // namespace
}  // namespace farthing::kernels
