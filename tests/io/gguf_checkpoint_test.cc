#include <gmock/gmock.h>

#include "core/sha256.h"
#include "io/checkpoint.h"
#include "io/mapped_file.h"
#include "tests/io/gguf_file.h"

namespace farthing::io {
namespace {

using namespace gguf_file;

const std::string kGolden = FARTHING_SOURCE_DIR "/tests/golden/gguf/";

// tools/goldens/make_gguf.py: the gguf package wrote the files and said what is in them.
class GgufGolden : public testing::TestWithParam<const char*> {};

TEST_P(GgufGolden, ReadsWhatTheGgufPackageWrote) {
  const Json expected = read_json_file(kGolden + "expected.json");
  const auto model = Checkpoint::open(kGolden + GetParam());
  EXPECT_TRUE(model->is_gguf());
  for (const auto& [key, value] : expected["metadata"].items()) {
    const Json* found = json_find(*model->metadata(), key);
    ASSERT_NE(found, nullptr) << key;
    EXPECT_EQ(*found, value) << key;
  }
  EXPECT_EQ(model->tensors().size(), expected["tensors"].size());
  for (const auto& [name, tensor] : expected["tensors"].items()) {
    const TensorInfo* found = model->find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(Json(found->dtype), tensor["dtype"]) << name;
    EXPECT_EQ(Json(found->shape), tensor["shape"]) << name;
    Sha256 hash;
    hash.update(found->bytes);
    EXPECT_EQ(Json(hash.hex()), tensor["sha256"]) << name;
    EXPECT_TRUE(model->matrix(name)) << name;
  }
  EXPECT_EQ(model->config()["num_key_value_heads"], 2);
  EXPECT_EQ(model->text_file("tokenizer.json"), std::nullopt);
  EXPECT_FALSE(model->matrix("blk.1.attn_q"));
}
INSTANTIATE_TEST_SUITE_P(Files, GgufGolden,
                         testing::Values("whole.gguf", "parts-00001-of-00003.gguf",
                                         "parts-00003-of-00003.gguf"));

// Two parts in a directory, of which a test spoils something.
class Split {
 public:
  Split() {
    write(1, 0, 2, "a.weight");
    write(2, 1, 2, "b.weight");
  }
  void write(int number, std::uint16_t split_no, std::uint16_t split_count, const char* name,
             std::int32_t total = 2) const {
    const File file{.pairs = {pair("general.architecture", "llama"),
                              pair<std::uint16_t>("split.no", 2, split_no),
                              pair<std::uint16_t>("split.count", 2, split_count),
                              pair<std::int32_t>("split.tensors.count", 5, total)},
                    .tensors = {tensor(name, {1}, kF32, 0)},
                    .data = "1234"};
    dir.write("m-0000" + std::to_string(number) + "-of-00002.gguf", file.bytes());
  }
  std::unique_ptr<Checkpoint> open() const {
    return Checkpoint::open(dir.path("m-00001-of-00002.gguf"));
  }
  TempDir dir;
};

TEST(SplitGguf, JoinsItsParts) {
  const Split split;
  EXPECT_EQ(split.open()->tensors().size(), 2u);
  EXPECT_NE(Checkpoint::open(split.dir.path("m-00002-of-00002.gguf"))->find("a.weight"), nullptr);
}

TEST(SplitGguf, RefusesPartsThatDoNotBelongTogether) {
  {
    const Split split;
    split.write(2, 1, 2, "a.weight");
    EXPECT_COMPLAINT(kBadInput, "a.weight lies in two parts", split.open());
  }
  {
    const Split split;
    split.write(2, 0, 2, "b.weight");
    EXPECT_COMPLAINT(kBadInput, "must be part 2 of 2 by its name", split.open());
  }
  {
    const Split split;
    split.write(2, 1, 3, "b.weight");
    EXPECT_COMPLAINT(kBadInput, "split.count 3", split.open());
  }
  {
    const Split split;
    split.write(1, 0, 2, "a.weight", 5);
    EXPECT_COMPLAINT(kBadInput, "must have 5 tensors together; found 2", split.open());
  }
  {
    const Split split;
    std::filesystem::remove(split.dir.path("m-00002-of-00002.gguf"));
    EXPECT_COMPLAINT(kBadInput, "m-00002-of-00002.gguf is missing", split.open());
  }
  {
    const Split split;  // one part under a name that does not say so
    std::filesystem::rename(split.dir.path("m-00001-of-00002.gguf"), split.dir.path("m.gguf"));
    EXPECT_COMPLAINT(kBadInput, "NAME-00001-of-0000N.gguf",
                     Checkpoint::open(split.dir.path("m.gguf")));
  }
  const TempDir dir;
  EXPECT_COMPLAINT(kBadInput, "1 to 1000 parts",
                   Checkpoint::open(dir.write("m-00001-of-99999.gguf", "")));
  EXPECT_COMPLAINT(kBadInput, "1 to 1000 parts",
                   Checkpoint::open(dir.write("m-00001-of-00000.gguf", "")));
}

TEST(Gguf, IsKnownByItsContentWhateverItsName) {
  const TempDir dir;
  const File file{.pairs = {pair("general.architecture", "llama")}};
  EXPECT_TRUE(Checkpoint::open(dir.write("blob-without-suffix", file.bytes()))->is_gguf());
}

}  // namespace
}  // namespace farthing::io
