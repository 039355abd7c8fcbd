// Tensors that the package compressed-tensors wrote, and what it reads from them.
#include "formats/format.h"
#include "tests/formats/golden.h"

namespace farthing {
namespace {

using testing::Golden;

WeightScheme scheme_of(const nlohmann::ordered_json& test) {
  WeightScheme scheme;
  scheme.element = test.at("type") == "int" ? Element::kInt : Element::kF8e4m3;
  if (test.at("format") == "mxfp4-pack-quantized") return parse_scheme("mxfp4").weights;
  scheme.bits = test.at("bits");
  scheme.group_size = test.at("group_size");
  const std::string strategy = test.at("strategy");
  scheme.strategy = strategy == "group"     ? Strategy::kGroup
                    : strategy == "channel" ? Strategy::kChannel
                                            : Strategy::kTensor;
  scheme.symmetric = test.at("symmetric");
  scheme.zero_point = scheme.symmetric ? ZeroPoint::kNone : ZeroPoint::kInteger;
  const std::string dtype = test.at("parts").at(".weight_scale").at("dtype");
  scheme.scale = dtype == "F16"    ? ScaleType::kF16
                 : dtype == "BF16" ? ScaleType::kBf16
                                   : ScaleType::kF32;
  scheme.plain = test.at("format") == "int-quantized";
  return scheme;
}

QuantizedTensor borrow(const Golden& golden, const nlohmann::ordered_json& test) {
  const WeightScheme scheme = scheme_of(test);
  const Shape shape = testing::shape_of(test);
  std::vector<Bytes> parts;
  for (const Part& part : find_format(scheme).parts(shape, scheme)) {
    const auto& stored = test.at("parts").at(std::string(part.suffix));
    EXPECT_EQ(stored.at("dtype").get<std::string>(), part.dtype) << part.suffix;
    EXPECT_EQ(stored.at("shape").get<std::vector<std::int64_t>>(), part.shape) << part.suffix;
    parts.push_back(Bytes::borrow(golden.bytes(stored)));
  }
  EXPECT_EQ(parts.size(), test.at("parts").size()) << test;
  return borrow_tensor(shape, scheme, std::move(parts), "golden");
}

TEST(CompressedTensors, ReadsWhatThePackageReads) {
  const Golden golden("compressed_tensors");
  for (const auto& test : golden.cases)
    testing::expect_same_bits(testing::dequantized(borrow(golden, test)),
                              golden.floats(test.at("values")), test.dump());
}

TEST(CompressedTensors, TheGridIsTheWeights) {
  const Golden golden("compressed_tensors");
  for (const auto& test : golden.cases) {
    const QuantizedTensor tensor = borrow(golden, test);
    if (tensor.format->grid == nullptr) continue;
    // A foreign FP32 scale has too many digits for scale * code to be exact.
    if (tensor.scheme.scale == ScaleType::kF32 && !tensor.scheme.symmetric) continue;
    testing::expect_same_bits(testing::through_grid(tensor), golden.floats(test.at("values")),
                              test.dump());
  }
}

TEST(CompressedTensors, WritesTheBytesThatThePackageWrites) {
  const Golden golden("compressed_tensors");
  for (const auto& test : golden.cases) {
    const QuantizedTensor read = borrow(golden, test);
    if (read.format->write_grid == nullptr || read.scheme.strategy == Strategy::kTensor) continue;
    QuantizedTensor written = allocate_tensor(read.shape, read.scheme);
    const auto cols = static_cast<std::size_t>(read.shape.cols);
    const auto groups = cols / static_cast<std::size_t>(read.format->grid(read).group_size);
    std::vector<std::uint8_t> codes(cols);
    std::vector<float> scales(groups), offsets(groups);
    for (std::int64_t r = read.shape.rows; r-- > 0;) {
      read.format->read_grid(read, r, {codes, scales, offsets});
      written.format->write_grid(written, r, {codes, scales, offsets});
    }
    for (std::size_t i = 0; i < read.parts.size(); ++i)
      ASSERT_TRUE(std::ranges::equal(read.parts[i].view(), written.parts[i].view()))
          << test << " part " << i;
  }
}

}  // namespace
}  // namespace farthing
