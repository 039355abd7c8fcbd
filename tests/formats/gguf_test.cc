// GGUF blocks as the gguf package reads and writes them.
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "formats/format.h"
#include "tests/formats/golden.h"

namespace farthing {
namespace {

using testing::Golden;

QuantizedTensor borrow(const Golden& golden, const nlohmann::ordered_json& test) {
  const WeightScheme scheme = parse_scheme(test.at("block").get<std::string>()).weights;
  std::vector<Bytes> parts;
  parts.push_back(Bytes::borrow(golden.bytes(test.at("data"))));
  return borrow_tensor(testing::shape_of(test), scheme, std::move(parts), "golden");
}

TEST(Gguf, ReadsWhatThePackageReads) {
  const Golden golden("gguf");
  int types = 0;
  for (const auto& test : golden.cases) {
    types += !test.contains("weights");
    testing::expect_same_bits(testing::dequantized(borrow(golden, test)),
                              golden.floats(test.at("values")), test.dump());
  }
  EXPECT_EQ(types, 12);
}

TEST(Gguf, TheGridIsTheWeights) {
  const Golden golden("gguf");
  for (const auto& test : golden.cases)
    testing::expect_same_bits(testing::through_grid(borrow(golden, test)),
                              golden.floats(test.at("values")), test.dump());
}

TEST(Gguf, TheSchemeSaysWhatTheGridSays) {
  const Golden golden("gguf");
  for (const auto& test : golden.cases) {
    const QuantizedTensor tensor = borrow(golden, test);
    const Grid grid = tensor.format->grid(tensor);
    EXPECT_EQ(grid.bits, tensor.scheme.bits) << test;
    EXPECT_EQ(grid.group_size, tensor.scheme.group_size) << test;
    EXPECT_EQ(grid.has_offsets, !tensor.scheme.symmetric) << test;
    EXPECT_EQ(grid.codebook != nullptr, tensor.scheme.element == Element::kIq4nl) << test;
    EXPECT_EQ(tensor.format->name, tensor.scheme.block);
  }
}

TEST(Gguf, WritingWhatWasReadGivesTheSameBlocks) {
  const Golden golden("gguf");
  int written = 0;
  for (const auto& test : golden.cases) {
    const QuantizedTensor read = borrow(golden, test);
    if (read.format->write_grid == nullptr) continue;
    QuantizedTensor copy = allocate_tensor(read.shape, read.scheme);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(read.shape.cols));
    std::vector<float> scales(codes.size() / 16), offsets(codes.size() / 16);
    for (std::int64_t r = 0; r < read.shape.rows; ++r) {
      read.format->read_grid(read, r, {codes, scales, offsets});
      copy.format->write_grid(copy, r, {codes, scales, offsets});
    }
    ASSERT_TRUE(std::ranges::equal(read.parts[0].view(), copy.parts[0].view())) << test;
    ++written;
  }
  EXPECT_GE(written, 6);
}

double relative_error(const std::vector<float>& values, const std::vector<float>& weights) {
  double wrong = 0, all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    wrong += std::pow(static_cast<double>(values[i] - weights[i]), 2);
    all += std::pow(static_cast<double>(weights[i]), 2);
  }
  return wrong / all;
}

TEST(Gguf, RoundsAtLeastAsWellAsThePackage) {
  const Golden golden("gguf");
  int seen = 0;
  for (const auto& test : golden.cases) {
    if (!test.contains("weights")) continue;
    const std::vector<float> weights = golden.floats(test.at("weights"));
    const Shape shape = testing::shape_of(test);
    const WeightScheme scheme = parse_scheme(test.at("block").get<std::string>()).weights;
    const double theirs = relative_error(golden.floats(test.at("values")), weights);
    for (const RoundMethod method : {RoundMethod::kMinMax, RoundMethod::kScaleSearch}) {
      QuantizedTensor tensor = allocate_tensor(shape, scheme);
      tensor.format->quantize(tensor, 0, {weights.data(), shape.rows, shape.cols}, {method, {}});
      const double ours = relative_error(testing::dequantized(tensor), weights);
      EXPECT_LE(ours, theirs * (method == RoundMethod::kMinMax ? 1.02 : 1.0)) << test;
      testing::expect_same_bits(testing::through_grid(tensor), testing::dequantized(tensor),
                                test.dump());
    }
    ++seen;
  }
  EXPECT_EQ(seen, 5);
}

TEST(Gguf, RowsThatAreNotWholeBlocksAreRefused) {
  EXPECT_THROW(allocate_tensor({2, 48}, parse_scheme("q4_0").weights), Error);
  EXPECT_THROW(allocate_tensor({2, 128}, parse_scheme("q4_k").weights), Error);
}

TEST(Gguf, AWeightBeyondFp16IsRefused) {
  std::vector<float> weights(32, 1.0f);
  weights[3] = 1e9f;
  for (const char* name : {"q4_0", "q4_1", "q8_0", "q5_1"}) {
    QuantizedTensor tensor = allocate_tensor({1, 32}, parse_scheme(name).weights);
    EXPECT_THROW(tensor.format->quantize(tensor, 0, {weights.data(), 1, 32}, {}), Error) << name;
  }
}

}  // namespace
}  // namespace farthing
