#include "io/compressed_matrix.h"

#include <gmock/gmock.h>

#include "core/random.h"
#include "formats/format.h"
#include "io/artefact_writer.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

constexpr std::int64_t kRows = 40, kCols = 128;

QuantizedTensor quantized(const WeightScheme& scheme) {
  Matrix<float> weights(kRows, kCols);
  Random random(7);
  for (std::int64_t r = 0; r < kRows; ++r)
    for (float& w : weights.view().row(r)) w = static_cast<float>(random.uniform() - 0.5);
  QuantizedTensor tensor = allocate_tensor({kRows, kCols}, scheme);
  tensor.format->quantize(tensor, 0, weights.view(), {});
  return tensor;
}

std::vector<float> numbers_of(const QuantizedTensor& tensor) {
  std::vector<float> numbers(static_cast<std::size_t>(tensor.shape.size()));
  tensor.format->dequantize(tensor, 0, {numbers.data(), tensor.shape.rows, tensor.shape.cols});
  return numbers;
}

// A model of one compressed matrix "a.b" and one float matrix "c", which a test may spoil.
struct Model {
  explicit Model(const std::string& scheme_text)
      : scheme(parse_scheme(scheme_text).weights), matrix(quantized(scheme)) {
    tensors = tensors_of("a.b", matrix);
    plain = quantized(parse_scheme("fp32").weights);
    const auto more = tensors_of("c", plain);
    tensors.insert(tensors.end(), more.begin(), more.end());
    const std::vector<NamedScheme> modules = {{"a.b", LinearScheme{scheme, {}}},
                                              {"c", std::nullopt}};
    config = {{"quantization_config",
               write_quantization_config(modules, QuantMethod::kFarthing, true, "")}};
  }
  TensorInfo& tensor(const std::string& name) {
    for (TensorInfo& one : tensors)
      if (one.name == name) return one;
    throw std::out_of_range(name);
  }
  std::unique_ptr<Checkpoint> open() const {
    dir.write("config.json", config.dump());
    write_safetensors(dir.path("model.safetensors"), tensors);
    return Checkpoint::open(dir.path());
  }

  WeightScheme scheme;
  QuantizedTensor matrix, plain;
  std::vector<TensorInfo> tensors;
  Json config;
  TempDir dir;
};

class CompressedMatrix : public testing::TestWithParam<const char*> {};

TEST_P(CompressedMatrix, ComesBackBitForBitAsItWasWritten) {
  const Model model(GetParam());
  const auto checkpoint = model.open();
  const auto read = checkpoint->matrix("a.b");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->scheme, model.scheme);
  EXPECT_EQ(read->shape, (Shape{kRows, kCols}));
  EXPECT_EQ(numbers_of(*read), numbers_of(model.matrix));
  ASSERT_TRUE(checkpoint->matrix("c"));
  EXPECT_EQ(numbers_of(*checkpoint->matrix("c")), numbers_of(model.plain));
  checkpoint->release(*read);
  EXPECT_EQ(numbers_of(*read), numbers_of(model.matrix));
}
INSTANTIATE_TEST_SUITE_P(Schemes, CompressedMatrix,
                         testing::Values("w8c", "w8g32", "w4g64", "w4g64-asym", "w3g128", "w2g16",
                                         "w5c-asym", "w8a8", "w8a8g64"));

using Spoil = void (*)(Model&);
struct Spoiled {
  const char* says;
  Spoil spoil;
  const char* scheme = "w4g64-asym";
  Fault fault = Fault::kBadInput;
};
Json& weights_of(Model& model) {
  return model.config["quantization_config"]["config_groups"]["group_0"]["weights"];
}
std::string shape_bytes(std::int64_t rows, std::int64_t cols) { return raw(rows) + raw(cols); }
template <std::int64_t kStoredRows, std::int64_t kStoredCols>
void store_shape(Model& model) {
  static const std::string bytes = shape_bytes(kStoredRows, kStoredCols);
  model.tensor("a.b.weight_shape").bytes = as_bytes(bytes);
}

class SpoiledMatrix : public testing::TestWithParam<Spoiled> {};

TEST_P(SpoiledMatrix, IsRefusedWithThePartThatDoesNotFit) {
  Model model(GetParam().scheme);
  GetParam().spoil(model);
  const auto checkpoint = model.open();
  const Complaint complaint = complaint_of([&] { static_cast<void>(checkpoint->matrix("a.b")); });
  EXPECT_EQ(complaint.fault, GetParam().fault) << complaint.text;
  EXPECT_THAT(complaint.text, testing::HasSubstr(GetParam().says));
  EXPECT_THAT(complaint.text, testing::HasSubstr("a.b"));
}
INSTANTIATE_TEST_SUITE_P(
    Parts, SpoiledMatrix,
    testing::Values(
        Spoiled{"has no .weight_scale", [](Model& m) { m.tensor("a.b.weight_scale").name = "x"; }},
        Spoiled{"has no .weight_zero_point",
                [](Model& m) { m.tensor("a.b.weight_zero_point").name = "x"; }},
        Spoiled{"has no .weight_shape", [](Model& m) { m.tensor("a.b.weight_shape").name = "x"; }},
        Spoiled{"must be F16, BF16 or F32",
                [](Model& m) { m.tensor("a.b.weight_scale").dtype = "I16"; }, "w4g64",
                Fault::kUnsupported},
        Spoiled{".weight_packed must be I32 of shape [40, 16]",
                [](Model& m) { m.tensor("a.b.weight_packed").dtype = "F32"; }},
        Spoiled{".weight_scale must be F16 of shape [40, 2]",
                [](Model& m) { m.tensor("a.b.weight_scale").shape = {2, 40}; }},
        Spoiled{".weight_packed must be", store_shape<kRows, kCols + 64>},
        Spoiled{".weight_packed must be", store_shape<kRows + 1, kCols>},
        Spoiled{"must divide a row", store_shape<kRows, kCols + 1>},
        Spoiled{"must be positive", store_shape<0, kCols>},
        Spoiled{"must be positive", store_shape<-1, kCols>},
        Spoiled{"below 2^40", store_shape<INT64_MAX, INT64_MAX>},
        Spoiled{".weight_packed must be",
                [](Model& m) { m.tensor("a.b.weight_packed").shape = {20, 32}; }}));
// FP8 has no grid, whose codes could be sorted.
TEST(MatrixWithoutGrid, GroupsOutOfOrderOfWeightsWithoutAGridAreRefused) {
  Model model("w4g64");
  model.scheme = parse_scheme("fp8").weights;
  model.scheme.strategy = Strategy::kGroup;
  model.scheme.group_size = 64;
  model.matrix = quantized(model.scheme);
  model.tensors = tensors_of("a.b", model.matrix);
  std::vector<std::int32_t> groups(kCols);
  for (std::size_t j = 0; j < groups.size(); ++j) groups[j] = static_cast<std::int32_t>(j % 2);
  model.tensors.push_back(
      {"a.b.weight_g_idx", "I32", {kCols}, std::as_bytes(std::span(std::as_const(groups)))});
  Json& weights = weights_of(model);
  weights["type"] = "float";
  weights["num_bits"] = 8;
  const auto checkpoint = model.open();
  const Complaint complaint = complaint_of([&] { static_cast<void>(checkpoint->matrix("a.b")); });
  EXPECT_EQ(complaint.fault, Fault::kUnsupported) << complaint.text;
  EXPECT_THAT(complaint.text, testing::HasSubstr("out of order"));
}
INSTANTIATE_TEST_SUITE_P(
    Configurations, SpoiledMatrix,
    testing::Values(
        Spoiled{".weight_packed must be I32 of shape [40, 32]",
                [](Model& m) { weights_of(m)["num_bits"] = 8; }},
        Spoiled{".weight_scale must be", [](Model& m) { weights_of(m)["group_size"] = 32; }},
        Spoiled{"must divide a row", [](Model& m) { weights_of(m)["group_size"] = 48; }},
        Spoiled{"does not cover it",
                [](Model& m) { m.config["quantization_config"]["ignore"] = {"a.b"}; }},
        Spoiled{"says float weights; the file has I8",
                [](Model& m) { weights_of(m)["type"] = "float"; }, "w8a8"},
        Spoiled{"weights of type I8 cannot be used", [](Model& m) { m.config = Json::object(); },
                "w8a8", Fault::kUnsupported},
        Spoiled{"weight_g_idx", [](Model& m) { m.tensor("c.weight").name = "a.b.weight_g_idx"; },
                "w4g64"}));

}  // namespace
}  // namespace farthing::io
