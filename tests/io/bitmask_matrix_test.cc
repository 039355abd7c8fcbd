// Sparse matrices as compressed-tensors 0.9.4 wrote them (tools/goldens/make_bitmask.py).
#include "io/bitmask_matrix.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "formats/format.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

using testing::HasSubstr;

const std::string kGolden = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/bitmask/bitmask";

struct Stored {
  Json head = read_json_file(kGolden + ".json");
  std::string blob = read_text_file(kGolden + ".bin", 1 << 20);

  TensorInfo tensor(const std::string& name, const Json& entry) const {
    return {
        name, entry.at("dtype").get<std::string>(),
        entry.at("shape").get<std::vector<std::int64_t>>(),
        std::as_bytes(std::span(blob))
            .subspan(entry.at("offset").get<std::size_t>(), entry.at("bytes").get<std::size_t>())};
  }
  std::vector<TensorInfo> tensors(const Json& test) const {
    std::vector<TensorInfo> all;
    for (const auto& [name, entry] : test.at("stored").items()) all.push_back(tensor(name, entry));
    return all;
  }
};

std::unique_ptr<Checkpoint> open(const TempDir& dir, const std::string& format,
                                 const std::vector<TensorInfo>& tensors) {
  const Json config = {{"quantization_config",
                        {{"quant_method", "compressed-tensors"},
                         {"format", "dense"},
                         {"sparsity_config", {{"format", format}, {"targets", {"Linear"}}}}}}};
  dir.write("config.json", config.dump());
  write_safetensors(dir.path("model.safetensors"), tensors);
  return Checkpoint::open(dir.path());
}

TEST(BitmaskMatrix, IsReadAsItWasBefore) {
  const Stored stored;
  for (const Json& test : stored.head.at("cases")) {
    const TempDir dir;
    const auto checkpoint = open(dir, test.at("format").get<std::string>(), stored.tensors(test));
    const auto matrix = checkpoint->matrix("m");
    ASSERT_TRUE(matrix) << test.at("format");
    const TensorInfo dense = stored.tensor("dense", test.at("dense"));
    EXPECT_EQ(matrix->shape, (Shape{dense.shape[0], dense.shape[1]}));
    const auto bytes = matrix->parts[0].view();
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), dense.bytes.begin(), dense.bytes.end()))
        << test.at("format");
  }
}

TEST(BitmaskMatrix, DamagedPartsAreOneClearSentence) {
  const Stored stored;
  const Json& test = stored.head.at("cases").at(0);
  const auto complaint = [&](auto spoil) -> std::string {
    const TempDir dir;
    std::vector<TensorInfo> tensors = stored.tensors(test);
    spoil(tensors);
    const auto checkpoint = open(dir, "sparse-bitmask", tensors);
    try {
      checkpoint->matrix("m");
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
  EXPECT_THAT(complaint(drop("m.bitmask")),
              HasSubstr("m: is kept by a bitmask, but has no .bitmask"));
  EXPECT_THAT(complaint(drop("m.compressed")), HasSubstr("has no .compressed"));
  EXPECT_THAT(complaint(drop("m.shape")), HasSubstr("has no .shape"));
  EXPECT_THAT(complaint([](std::vector<TensorInfo>& all) {
                for (TensorInfo& t : all)
                  if (t.name == "m.compressed") {
                    t.shape[0] -= 1;
                    t.bytes = t.bytes.subspan(0, t.bytes.size() - 2);
                  }
              }),
              HasSubstr("must have one element for each of the"));
  const std::int64_t wrong[] = {7, 1 << 20};
  EXPECT_THAT(complaint([&](std::vector<TensorInfo>& all) {
                for (TensorInfo& t : all)
                  if (t.name == "m.shape") t.bytes = std::as_bytes(std::span(wrong));
              }),
              HasSubstr("m.bitmask must be U8 of shape [7, 131072]"));
}

}  // namespace
}  // namespace farthing::io
