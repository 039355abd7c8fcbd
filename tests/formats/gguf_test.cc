// GGUF blocks as the gguf package reads and writes them.
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "formats/block_codes.h"
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

TEST(Gguf, OtherCodesLeaveTheScalesOfTheirBlocks) {
  int tried = 0;
  for (const Format& format : formats()) {
    if (!format.named) continue;
    const WeightScheme scheme = *format.named;
    const WriteCodes write_codes = find_write_codes(scheme);
    if (write_codes == nullptr) continue;
    constexpr std::int64_t kRows = 3, kCols = 512;
    std::vector<float> weights(kRows * kCols);
    Random random(5);
    for (float& w : weights) w = static_cast<float>(random.uniform() - 0.4);
    QuantizedTensor tensor = allocate_tensor({kRows, kCols}, scheme);
    format.quantize(tensor, 0, {weights.data(), kRows, kCols}, {});
    const auto groups = static_cast<std::size_t>(kCols / scheme.group_size);
    std::vector<std::uint8_t> codes(kCols), other(kCols), back(kCols);
    std::vector<float> scales(groups), offsets(groups), scales_back(groups), offsets_back(groups);
    for (std::int64_t r = 0; r < kRows; ++r) {
      format.read_grid(tensor, r, {codes, scales, offsets});
      for (std::uint8_t& code : other)
        code = static_cast<std::uint8_t>(random.below(1u << scheme.bits));
      write_codes(tensor, r, other);
      format.read_grid(tensor, r, {back, scales_back, offsets_back});
      EXPECT_EQ(back, other) << format.name;
      EXPECT_EQ(scales_back, scales) << format.name;
      EXPECT_EQ(offsets_back, offsets) << format.name;
    }
    ++tried;
  }
  EXPECT_EQ(tried, 10);
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

std::string slurp(const std::string& name) {
  std::ifstream file(std::string(FARTHING_SOURCE_DIR) + "/tests/golden/formats/llama_cpp/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* kSuperTypes[] = {"q2_k", "q3_k", "q4_k", "q5_k", "q6_k"};

TEST(Gguf, RoundsKQuantsAtLeastAsWellAsLlamaCpp) {
  const std::string raw = slurp("weights.bin");
  std::vector<float> weights(1024);
  ASSERT_EQ(raw.size(), 4096u);
  std::memcpy(weights.data(), raw.data(), raw.size());
  for (const char* name : kSuperTypes) {
    const std::string blocks = slurp(std::string(name) + ".bin");
    const WeightScheme scheme = parse_scheme(name).weights;
    std::vector<Bytes> parts;
    parts.push_back(Bytes::borrow(std::as_bytes(std::span(blocks))));
    const auto theirs = borrow_tensor({2, 512}, scheme, std::move(parts), name);
    QuantizedTensor ours = allocate_tensor({2, 512}, scheme);
    ours.format->quantize(ours, 0, {weights.data(), 2, 512}, {});
    const double least = relative_error(testing::dequantized(theirs), weights);
    EXPECT_LT(least, 0.06) << name;  // the reader reads the encoder's blocks
    EXPECT_LE(relative_error(testing::dequantized(ours), weights), least) << name;
    testing::expect_same_bits(testing::through_grid(ours), testing::dequantized(ours), name);
  }
}

TEST(Gguf, ImportanceAndTheSearchLowerTheErrorOfKQuants) {
  Random random(79);
  std::vector<float> weights(2048), importance(512);
  for (float& w : weights)
    w = static_cast<float>((random.uniform() - 0.5) * (random.uniform() < 0.02 ? 0.4 : 0.1));
  for (std::size_t i = 0; i < 300; ++i) weights[i] = 0.3f + 0.1f * weights[i];  // one-signed groups
  for (float& c : importance) c = static_cast<float>(std::pow(random.uniform(), 8.0));
  for (const char* name : kSuperTypes) {
    const auto weighted = [&](RoundMethod method, std::span<const float> by) {
      QuantizedTensor tensor = allocate_tensor({4, 512}, parse_scheme(name).weights);
      tensor.format->quantize(tensor, 0, {weights.data(), 4, 512}, {method, by});
      const auto values = testing::dequantized(tensor);
      double sum = 0;
      for (std::size_t i = 0; i < values.size(); ++i)
        sum += static_cast<double>(importance[i % 512]) *
               std::pow(static_cast<double>(values[i] - weights[i]), 2);
      return sum;
    };
    const double plain = weighted(RoundMethod::kMinMax, importance);
    const double searched = weighted(RoundMethod::kScaleSearch, {});
    const double informed = weighted(RoundMethod::kScaleSearch, importance);
    EXPECT_LT(searched, plain) << name;
    EXPECT_LT(informed, 0.8 * searched) << name;
  }
}

TEST(Gguf, SpecialBlocksComeThrough) {
  for (const char* name : {"q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q4_0", "q4_1", "q8_0"})
    for (const float size : {0.0f, 1e-30f, 1e-9f, 1e-5f, 1.0f, 1000.0f})
      for (int kind = 0; kind < 4; ++kind) {
        std::vector<float> weights(256);
        for (std::size_t i = 0; i < 256; ++i) {
          const float wave = std::sin(static_cast<float>(i * i));
          weights[i] = size * (kind == 0   ? wave
                               : kind == 1 ? 2 + wave
                               : kind == 2 ? -2 - wave
                                           : (i == 77 ? 1.0f : 0.0f));
        }
        QuantizedTensor tensor = allocate_tensor({1, 256}, parse_scheme(name).weights);
        tensor.format->quantize(tensor, 0, {weights.data(), 1, 256}, {});
        const auto values = testing::dequantized(tensor);
        // Two bits leave steps of 3 * size / 3, three bits of one sign waste half the grid.
        for (std::size_t i = 0; i < 256; ++i)
          ASSERT_NEAR(values[i], weights[i], 0.8f * size + 1e-6f)
              << name << " size " << size << " kind " << kind << " weight " << i;
      }
}

TEST(Gguf, RowsThatAreNotWholeBlocksAreRefused) {
  EXPECT_THROW(allocate_tensor({2, 48}, parse_scheme("q4_0").weights), Error);
  EXPECT_THROW(allocate_tensor({2, 128}, parse_scheme("q4_k").weights), Error);
}

TEST(Gguf, AWeightBeyondFp16IsRefused) {
  std::vector<float> weights(256, 1.0f);
  weights[3] = 1e12f;
  for (const char* name : {"q4_0", "q4_1", "q8_0", "q5_1", "q2_k", "q3_k", "q4_k", "q6_k"}) {
    QuantizedTensor tensor = allocate_tensor({1, 256}, parse_scheme(name).weights);
    EXPECT_THROW(tensor.format->quantize(tensor, 0, {weights.data(), 1, 256}, {}), Error) << name;
  }
}

}  // namespace
}  // namespace farthing
