// Squeezed tiles expand to the bytes that they were made from, and give the bits of dense kernels.
#include "kernels/squeeze.h"

#include "tests/kernels/linear_cases.h"

namespace farthing::kernels {
namespace {

struct Expanding {
  std::string_view name;
  ExpandRun run;
};
std::vector<Expanding> expanders() {
  std::vector<Expanding> found = {{"scalar", expand_scalar}};
#if defined(__x86_64__)
  if (isas_here().has(Isa::kAvx2)) found.push_back({"avx2", expand_avx2});
#if defined(FARTHING_EMULATED)
  found.push_back({"avx512vbmi2", expand_avx512vbmi2});
#else
  if (isas_here().has(Isa::kAvx512) && __builtin_cpu_supports("avx512vbmi2"))
    found.push_back({"avx512vbmi2", expand_avx512vbmi2});
#endif
#endif
  return found;
}

QuantizedTensor thinned(std::string_view scheme, Shape shape, double density) {
  QuantizedTensor tensor = allocate_tensor(shape, parse_scheme(scheme).weights);
  Random random(static_cast<std::uint64_t>(density * 100) + 5);
  auto numbers = random_floats(random, shape.size());
  for (float& x : numbers)
    if (random.uniform() >= density) x = 0;
  tensor.format->quantize(tensor, 0, {numbers.data(), shape.rows, shape.cols},
                          {.method = RoundMethod::kMinMax, .importance = {}});
  return tensor;
}

PackedMatrix packed(Runtime& runtime, const QuantizedTensor& weight, ActivationMode mode) {
  const LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
  return pack_dense(runtime, {&source, 1}, resolve_activations(weight.scheme, &mode));
}

TEST(SqueezedTiles, AreTestedWithEveryExpander) {
#if defined(__x86_64__)
  if (expanders().back().name != "avx512vbmi2")
    GTEST_SKIP() << "avx512vbmi2 is not tested here, but in the emulated tests";
#endif
}

struct Case {
  std::string scheme;
  ActivationMode mode;
};
class Squeezed : public testing::TestWithParam<Case> {};

TEST_P(Squeezed, ExpandsToTheBytesItWasMadeFrom) {
  Runtime runtime(2);
  for (const Shape shape : {Shape{48, 192}, Shape{16, 131}, Shape{32, 64}})
    for (const double kept : {0.0, 0.1, 0.5}) {
      if (shape.cols % 64 != 0 && GetParam().scheme.find('g') != std::string::npos) continue;
      const QuantizedTensor weight = thinned(GetParam().scheme, shape, kept);
      const PackedMatrix dense = packed(runtime, weight, GetParam().mode);
      PackedMatrix thin = packed(runtime, weight, GetParam().mode);
      ASSERT_TRUE(squeeze(runtime, thin, 1.0)) << kept;
      EXPECT_LT(thin.tiles.size(), dense.tiles.size());
      const auto bytes = static_cast<std::size_t>(thin.squeezed.dense_bytes);
      std::vector<std::byte> back(bytes);
      for (const Expanding& expander : expanders())
        for (std::int64_t tile = 0; tile < dense.tile_count(); ++tile) {
          std::fill(back.begin(), back.end(), std::byte{0x55});
          expander.run(thin.squeezed, thin.tiles.data() + tile * thin.tile_bytes, back.data());
          ASSERT_EQ(std::memcmp(back.data(), dense.tiles.data() + tile * dense.tile_bytes, bytes),
                    0)
              << expander.name << ", tile " << tile << ", density " << kept;
        }
    }
}

TEST_P(Squeezed, GivesTheBitsOfTheDenseKernel) {
  for (const int threads : {1, 2}) {
    Runtime runtime(threads);
    const Shape shape{149, GetParam().scheme.find('g') == std::string::npos ? 333 : 192};
    const QuantizedTensor weight = thinned(GetParam().scheme, shape, 0.4);
    const PackedMatrix dense = packed(runtime, weight, GetParam().mode);
    PackedMatrix thin = packed(runtime, weight, GetParam().mode);
    ASSERT_TRUE(squeeze(runtime, thin, 1.0));
    for (const std::int64_t tokens : {1, 3, 40}) {
      Random random(9);
      const auto x = random_floats(random, tokens * shape.cols);
      const auto run = [&](const PackedMatrix& matrix, std::int64_t first, std::int64_t count) {
        std::vector<float> y(static_cast<std::size_t>(tokens * count));
        Activations inputs;
        inputs.assign({x.data(), tokens, shape.cols});
        multiply(runtime, matrix, inputs, first, {y.data(), tokens, count}, {.scale = 0.5f});
        return bits_of(y);
      };
      EXPECT_EQ(run(thin, 0, shape.rows), run(dense, 0, shape.rows)) << tokens;
      EXPECT_EQ(run(thin, 32, 85), run(dense, 32, 85)) << tokens;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Squeezed,
    testing::Values(Case{"bf16", ActivationMode::kF32}, Case{"fp16", ActivationMode::kF32},
                    Case{"w8c", ActivationMode::kInt8}, Case{"w8g64", ActivationMode::kInt16},
                    Case{"w7g64", ActivationMode::kInt16}, Case{"w8g32", ActivationMode::kF32},
                    Case{"w4g64", ActivationMode::kInt8}, Case{"w4c", ActivationMode::kInt16},
                    Case{"w4g32", ActivationMode::kF32}),
    [](const auto& test) {
      return test.param.scheme + "_" + std::string(activation_name(test.param.mode));
    });

TEST(Squeezed, LeavesAloneWhatIsNotThinEnoughOrHasNoZero) {
  Runtime runtime(1);
  const auto tried = [&](std::string_view scheme, double kept, double most) {
    const QuantizedTensor weight = thinned(scheme, {32, 128}, kept);
    PackedMatrix matrix = packed(runtime, weight, ActivationMode::kInt8);
    return squeeze(runtime, matrix, most);
  };
  EXPECT_FALSE(tried("w8c", 0.6, 0.5));
  EXPECT_TRUE(tried("w8c", 0.4, 0.5));
  EXPECT_FALSE(tried("w8c", 1.0, 1.0));  // not a byte less
  EXPECT_FALSE(tried("w4g32-asym", 0.1, 1.0));
  EXPECT_FALSE(tried("mxfp4", 0.1, 1.0));
  EXPECT_FALSE(tried("w3g64", 0.1, 1.0));  // its bits lie in planes
}

TEST(Squeezed, CountsWhatIsNotZero) {
  Runtime runtime(1);
  const QuantizedTensor weight = thinned("w8c", {48, 256}, 0.3);
  const PackedMatrix matrix = packed(runtime, weight, ActivationMode::kInt8);
  std::int64_t kept = 0;
  for (std::int64_t r = 0; r < 48; ++r)
    for (const float w : dequantized_row(weight, r)) kept += w != 0 ? 1 : 0;
  EXPECT_DOUBLE_EQ(density(matrix, true), static_cast<double>(kept) / (48 * 256));
}

TEST(Squeezed, UnpacksExactlyWhatWasPacked) {
  Runtime runtime(1);
  for (const char* scheme : {"bf16", "w8c", "w4g64"}) {
    const QuantizedTensor weight = thinned(scheme, {40, 128}, 0.1);
    const ActivationMode mode =
        std::string_view(scheme) == "bf16" ? ActivationMode::kF32 : ActivationMode::kInt8;
    PackedMatrix matrix = packed(runtime, weight, mode);
    ASSERT_TRUE(squeeze(runtime, matrix, 1.0));
    for (const std::int64_t r : {0, 17, 39}) {
      std::vector<float> row(128);
      unpack_row(matrix, r, row);
      EXPECT_EQ(bits_of(row), bits_of(dequantized_row(weight, r))) << scheme << " " << r;
    }
  }
}

}  // namespace
}  // namespace farthing::kernels
