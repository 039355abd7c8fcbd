// Writing bitmaps: floats must become the bytes that compressed-tensors 0.9.4 wrote
// (tools/goldens/make_bitmask.py), packed codes what this file's own reader of bits finds.
#include "io/bitmask_layout.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/random.h"
#include "formats/format.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

using testing::HasSubstr;

std::string text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Writes the one matrix of `checkpoint` as a bitmap into dir/out.safetensors.
void write_thin(const Checkpoint& checkpoint, const std::string& tensor,
                const QuantizationConfig* config, const std::string& out) {
  Runtime runtime(2);
  const auto matrix = count_bitmask(runtime, checkpoint, *checkpoint.find(tensor), config);
  ASSERT_TRUE(matrix);
  std::vector<PlannedTensor> tensors = bitmask_tensors(*matrix);
  for (const TensorInfo& other : checkpoint.tensors())
    if (other.name != tensor) tensors.push_back({other.name, other.dtype, other.shape});
  PlannedSafetensors file(out, tensors);
  write_bitmask(runtime, *matrix, file, 0);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (const TensorInfo* copied = checkpoint.find(tensors[i].name))
      file.write(i, 0, copied->bytes);
  file.commit();
}

TEST(BitmaskLayout, WritesTheBytesOfCompressedTensors) {
  const std::string golden = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/bitmask/bitmask";
  const Json head = read_json_file(golden + ".json");
  const std::string blob = read_text_file(golden + ".bin", 1 << 20);
  const auto bytes = [&](const Json& entry) {
    return std::as_bytes(std::span(blob))
        .subspan(entry.at("offset").get<std::size_t>(), entry.at("bytes").get<std::size_t>());
  };
  int compared = 0;
  for (const Json& test : head.at("cases")) {
    if (test.at("format") != "sparse-bitmask") continue;
    const TempDir dir;
    const Json& dense = test.at("dense");
    const std::vector<TensorInfo> tensors = {{"m.weight", dense.at("dtype").get<std::string>(),
                                              dense.at("shape").get<std::vector<std::int64_t>>(),
                                              bytes(dense)}};
    dir.write("config.json", "{}");
    write_safetensors(dir.path("model.safetensors"), tensors);
    write_thin(*Checkpoint::open(dir.path()), "m.weight", nullptr, dir.path("out.safetensors"));
    const SafetensorsFile out(dir.path("out.safetensors"));
    ASSERT_EQ(out.content().tensors.size(), test.at("stored").size());
    for (const TensorInfo& tensor : out.content().tensors) {
      const Json& stored = test.at("stored").at(tensor.name);
      EXPECT_EQ(tensor.dtype, stored.at("dtype").get<std::string>()) << tensor.name;
      EXPECT_EQ(tensor.shape, stored.at("shape").get<std::vector<std::int64_t>>()) << tensor.name;
      EXPECT_EQ(text_of(tensor.bytes), text_of(bytes(stored))) << tensor.name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 8);
}

TEST(BitmaskLayout, SaysWhereABitmapStartsToGain) {
  EXPECT_DOUBLE_EQ(bitmask_break_even(16), 0.9375);
  EXPECT_DOUBLE_EQ(bitmask_break_even(8), 0.875);
  EXPECT_DOUBLE_EQ(bitmask_break_even(4), 0.75);
}

// A matrix of packed codes in a directory of its own, half of its weights zero.
struct Packed {
  static constexpr Shape kShape{5, 37};  // a row's last byte and last word are not full
  int bits;
  WeightScheme scheme{.element = Element::kInt, .bits = bits};
  QuantizedTensor tensor = allocate_tensor(kShape, scheme);

  explicit Packed(int bits_of_code) : bits(bits_of_code) {
    Random random(static_cast<std::uint64_t>(bits));
    Matrix<float> rows(kShape.rows, kShape.cols);
    for (std::int64_t r = 0; r < kShape.rows; ++r)
      for (float& x : rows.view().row(r))
        x = random.uniform() < 0.5 ? 0.0f : static_cast<float>(random.uniform() - 0.5);
    for (float& x : rows.view().row(2)) x = 0;  // a row that keeps nothing
    tensor.format->quantize(tensor, 0, rows.view(),
                            {.method = RoundMethod::kMinMax, .importance = {}});
  }
  Json config(bool symmetric = true) const {
    return {{"quant_method", "farthing"},
            {"format", "pack-quantized"},
            {"config_groups",
             {{"group_0",
               {{"targets", {"m"}},
                {"weights",
                 {{"num_bits", bits}, {"symmetric", symmetric}, {"strategy", "channel"}}}}}}}};
  }
  void write(const TempDir& dir) const {
    const Json json = {{"quantization_config", config()}};
    dir.write("config.json", json.dump());
    std::vector<TensorInfo> infos;
    const auto parts = tensor.format->parts(kShape, scheme);
    for (std::size_t i = 0; i < parts.size(); ++i)
      infos.push_back({"m" + std::string(parts[i].suffix), std::string(parts[i].dtype),
                       parts[i].shape, tensor.parts[i].view()});
    write_safetensors(dir.path("model.safetensors"), infos);
  }
};

// dir/thin: the same matrix by a bitmap.
std::string thin(const TempDir& dir, const Packed& packed) {
  packed.write(dir);
  const QuantizationConfig config = QuantizationConfig::parse(packed.config(), "config");
  std::filesystem::create_directory(dir.path("thin"));
  write_thin(*Checkpoint::open(dir.path()), "m.weight_packed", &config,
             dir.path("thin/model.safetensors"));
  const Json json = {{"quantization_config", packed.config()}};
  dir.write("thin/config.json", json.dump());
  return dir.path("thin");
}

class CodeBitmask : public testing::TestWithParam<int> {};

TEST_P(CodeBitmask, IsReadAsThePackedCodesItWasMadeOf) {
  const Packed packed(GetParam());
  const TempDir dir;
  const auto checkpoint = Checkpoint::open(thin(dir, packed));
  const auto matrix = checkpoint->matrix("m");
  ASSERT_TRUE(matrix);
  ASSERT_EQ(matrix->parts.size(), packed.tensor.parts.size());
  for (std::size_t i = 0; i < matrix->parts.size(); ++i)
    EXPECT_EQ(text_of(matrix->parts[i].view()), text_of(packed.tensor.parts[i].view())) << i;
}

// The layout as the page about formats says it, by a reader of single bits.
TEST_P(CodeBitmask, KeepsBitsWhereTheDocumentationPutsThem) {
  const Packed packed(GetParam());
  const TempDir dir;
  const auto checkpoint = Checkpoint::open(thin(dir, packed));
  const TensorInfo* mask = checkpoint->find("m.weight_bitmask");
  const TensorInfo* values = checkpoint->find("m.weight_nonzeros");
  ASSERT_TRUE(mask && values);
  ASSERT_EQ(checkpoint->find("m.weight_packed"), nullptr);
  const auto bit = [](ByteSpan bytes, std::size_t i) {
    return static_cast<int>(bytes[i / 8] >> (i % 8)) & 1;
  };
  const auto width = static_cast<std::size_t>(packed.bits);
  std::size_t at = 0;  // in bits
  for (std::int64_t r = 0; r < Packed::kShape.rows; ++r) {
    std::vector<std::uint8_t> codes(Packed::kShape.cols);
    std::vector<float> scales(1), offsets(1);
    packed.tensor.format->read_grid(packed.tensor, r, {codes, scales, offsets});
    at = (at + 7) / 8 * 8;
    for (std::size_t j = 0; j < codes.size(); ++j) {
      const bool kept = bit(mask->bytes, static_cast<std::size_t>(r) * 40 + j) == 1;
      ASSERT_EQ(kept, codes[j] != 1 << (packed.bits - 1)) << r << ", " << j;
      if (!kept) continue;
      int code = 0;
      for (std::size_t b = 0; b < width; ++b) code |= bit(values->bytes, at + b) << b;
      ASSERT_EQ(code, codes[j]) << r << ", " << j;
      at += width;
    }
  }
  EXPECT_EQ((at + 7) / 8, values->bytes.size());
}

INSTANTIATE_TEST_SUITE_P(Bits, CodeBitmask, testing::Values(2, 3, 4, 5, 8));

TEST(BitmaskLayout, DamagedCodesAreOneClearSentence) {
  const Packed packed(4);
  const auto complaint = [&](auto spoil, const Json& config) -> std::string {
    const TempDir dir;
    std::vector<TensorInfo> tensors;
    const std::string folder = thin(dir, packed);
    const SafetensorsFile file(folder + "/model.safetensors");
    tensors = file.content().tensors;
    spoil(tensors);
    const TempDir bad;
    bad.write("config.json", Json{{"quantization_config", config}}.dump());
    write_safetensors(bad.path("model.safetensors"), tensors);
    try {
      Checkpoint::open(bad.path())->matrix("m");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto drop = [](std::string name) {
    return [name](std::vector<TensorInfo>& all) {
      std::erase_if(all, [&](const TensorInfo& t) { return t.name == name; });
    };
  };
  const auto edit = [](std::string name, auto change) {
    return [name, change](std::vector<TensorInfo>& all) {
      for (TensorInfo& t : all)
        if (t.name == name) change(t);
    };
  };
  const Json config = packed.config();
  EXPECT_EQ(complaint([](auto&) {}, config), "");
  EXPECT_THAT(complaint(drop("m.weight_bitmask"), config), HasSubstr("has no .weight_bitmask"));
  EXPECT_THAT(complaint(drop("m.weight_nonzeros"), config), HasSubstr("has no .weight_nonzeros"));
  EXPECT_THAT(complaint(drop("m.weight_shape"), config), HasSubstr("has no .weight_shape"));
  EXPECT_THAT(complaint(edit("m.weight_nonzeros",
                             [](TensorInfo& t) {
                               t.shape[0] -= 1;
                               t.bytes = t.bytes.subspan(1);
                             }),
                        config),
              HasSubstr("bytes by its bitmap; found U8 of"));
  static const std::vector<std::byte> full(25, std::byte{0xff});
  EXPECT_THAT(complaint(edit("m.weight_bitmask", [](TensorInfo& t) { t.bytes = full; }), config),
              HasSubstr("m.weight_nonzeros must be U8 of 95 bytes by its bitmap"));
  static const std::int64_t wrong[] = {5, std::int64_t{1} << 39};
  EXPECT_THAT(complaint(edit("m.weight_shape",
                             [](TensorInfo& t) { t.bytes = std::as_bytes(std::span(wrong)); }),
                        config),
              HasSubstr("m.weight_bitmask must be U8 of shape [5, 68719476736]"));
  EXPECT_THAT(complaint([](auto&) {}, packed.config(false)),
              HasSubstr("is kept by a bitmap, which is for symmetric integers"));
}

}  // namespace
}  // namespace farthing::io
