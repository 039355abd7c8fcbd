#include "io/hf_directory.h"

#include <gmock/gmock.h>

#include "formats/format.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

std::string one_tensor(const std::string& name, int bytes = 8) {
  return safetensors("{\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(bytes) +
                         R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}",
                     std::string(static_cast<std::size_t>(bytes), 'x'));
}

// A directory with two shards, of which a test spoils something.
class Sharded {
 public:
  Sharded() {
    dir.write("config.json", R"({"model_type":"llama"})");
    dir.write("a.safetensors", one_tensor("x"));
    dir.write("b.safetensors", one_tensor("y"));
    index(R"({"x":"a.safetensors","y":"b.safetensors"})");
  }
  void index(const std::string& map) {
    dir.write("model.safetensors.index.json",
              R"({"metadata":{"total_size":123},"weight_map":)" + map + "}");
  }
  std::unique_ptr<Checkpoint> open() const { return Checkpoint::open(dir.path()); }
  TempDir dir;
};

TEST(HfDirectory, OpensShardsAndFindsTensorsByName) {
  const Sharded model;  // total_size is wrong, which nobody reads
  const auto checkpoint = model.open();
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  ASSERT_NE(checkpoint->find("y"), nullptr);
  EXPECT_EQ(checkpoint->find("y")->bytes.size(), 8u);
  EXPECT_EQ(checkpoint->find("z"), nullptr);
  EXPECT_EQ(checkpoint->config()["model_type"], "llama");
  EXPECT_FALSE(checkpoint->is_gguf());
  EXPECT_EQ(checkpoint->metadata(), nullptr);
}

TEST(HfDirectory, PrefersTheSingleFileToTheIndex) {
  const Sharded model;
  model.dir.write("model.safetensors", one_tensor("whole"));
  EXPECT_NE(model.open()->find("whole"), nullptr);
}

TEST(HfDirectory, GivesTextFilesOrNone) {
  const Sharded model;
  model.dir.write("tokenizer.json", "{}");
  model.dir.write("tokenizer_config.json", "version https://git-lfs.github.com/spec/v1\noid x\n");
  EXPECT_EQ(model.open()->text_file("tokenizer.json"), "{}");
  EXPECT_EQ(model.open()->text_file("tokenizer.model"), std::nullopt);
  EXPECT_COMPLAINT(kBadInput, "git lfs pull", model.open()->text_file("tokenizer_config.json"));
}

TEST(HfDirectory, RefusesBrokenIndexes) {
  Sharded model;
  const auto open_with = [&](const std::string& map) {
    model.index(map);
    return model.open();
  };
  EXPECT_COMPLAINT(kBadInput, "shard c.safetensors that",
                   open_with(R"({"x":"a.safetensors","y":"c.safetensors"})"));
  for (const char* name :
       {"../../etc/passwd", "/etc/passwd", "../b.safetensors", "sub/b.safetensors", ".safetensors",
        "..\\\\b.safetensors", "b.bin", "", "a\\u0000.safetensors"})
    EXPECT_COMPLAINT(kBadInput, "must lie in a .safetensors file of the same directory",
                     open_with(R"({"y":")" + std::string(name) + "\"}"));
  EXPECT_COMPLAINT(kBadInput, "must lie in a .safetensors file", open_with(R"({"y":7})"));
  EXPECT_COMPLAINT(kBadInput, "z lies in b.safetensors; no shard has it",
                   open_with(R"({"x":"a.safetensors","z":"b.safetensors"})"));
  EXPECT_COMPLAINT(kBadInput, "x lies in b.safetensors; another shard has it",
                   open_with(R"({"x":"b.safetensors","y":"a.safetensors"})"));
  EXPECT_COMPLAINT(kBadInput, "\"weight_map\" must map", open_with("{}"));
  EXPECT_COMPLAINT(kBadInput, "\"weight_map\" must map", open_with("[]"));
  EXPECT_COMPLAINT(kBadInput, "\"x\" occurs twice",
                   open_with(R"({"x":"a.safetensors","x":"b.safetensors"})"));
  model.dir.write("b.safetensors", one_tensor("x"));
  EXPECT_COMPLAINT(kBadInput, "x lies in two shards",
                   open_with(R"({"x":"a.safetensors","y":"b.safetensors"})"));
  std::filesystem::remove(model.dir.path("b.safetensors"));
  std::filesystem::create_symlink("b.safetensors", model.dir.path("b.safetensors"));
  EXPECT_COMPLAINT(kBadInput, "that model.safetensors.index.json names is missing",
                   open_with(R"({"x":"a.safetensors","y":"b.safetensors"})"));
  std::filesystem::remove(model.dir.path("b.safetensors"));
  std::filesystem::create_directory_symlink(".", model.dir.path("b.safetensors"));
  EXPECT_COMPLAINT(kBadInput, "it is a directory",
                   open_with(R"({"x":"a.safetensors","y":"b.safetensors"})"));
  model.dir.write("model.safetensors.index.json", "");
  EXPECT_COMPLAINT(kBadInput, "not valid JSON", model.open());
}

TEST(HfDirectory, SaysWhatIsMissing) {
  const TempDir dir;
  const auto open = [&] { return Checkpoint::open(dir.path()); };
  EXPECT_COMPLAINT(kBadInput, "has no config.json", open());
  dir.write("config.json", "[]");
  EXPECT_COMPLAINT(kBadInput, "must be a JSON object", open());
  dir.write("config.json", "<!doctype html>");
  EXPECT_COMPLAINT(kBadInput, "web page", open());
  dir.write("config.json", "{}");
  EXPECT_COMPLAINT(kBadInput, "neither model.safetensors nor", open());
  dir.write("pytorch_model.bin", "\x80\x02");
  EXPECT_COMPLAINT(kUnsupported, "convert them to safetensors", open());
  dir.write("adapter_model.safetensors", "");
  EXPECT_COMPLAINT(kUnsupported, "merge it into its base model", open());
  dir.write("model.Q4_0.gguf", "GGUF");
  EXPECT_COMPLAINT(kBadInput, "give the .gguf file", open());
  dir.write("model.safetensors.incomplete", "");
  EXPECT_COMPLAINT(kBadInput, "was not finished", open());
  dir.write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_COMPLAINT(kBadInput, "git lfs pull", open());
}

TEST(Checkpoint, RefusesWhatIsNoModel) {
  const TempDir dir;
  const auto open = [&](const std::string& name) { return Checkpoint::open(dir.path(name)); };
  EXPECT_COMPLAINT(kBadInput, "no such file or directory", open("none"));
  dir.write("x.safetensors", one_tensor("x"));
  EXPECT_COMPLAINT(kBadInput, "give its directory", open("x.safetensors"));
  dir.write("x.bin", "PK\x03\x04");
  EXPECT_COMPLAINT(kUnsupported, "pickle", open("x.bin"));
  dir.write("blob.incomplete", "");
  EXPECT_COMPLAINT(kBadInput, "was not finished", open("blob.incomplete"));
  dir.write("notes.txt", "hello");
  EXPECT_COMPLAINT(kBadInput, "it is neither", open("notes.txt"));
  dir.write("empty.gguf", "");
  EXPECT_COMPLAINT(kBadInput, "must start with \"GGUF\"", open("empty.gguf"));
  EXPECT_COMPLAINT(kUsage, "empty name", Checkpoint::open(""));
  EXPECT_COMPLAINT(kBadInput, "it is a device", Checkpoint::open("/dev/null"));
}

// The layout of huggingface_hub's cache, made by hand.
class HubCache {
 public:
  HubCache() {
    dir.write("hub/models--org--tiny/refs/main", "0123abcd");
    dir.write(snapshot + "config.json", "{}");
    dir.write("hub/models--org--tiny/blobs/77", one_tensor("w"));
    std::filesystem::create_symlink("../../blobs/77", dir.path(snapshot + "model.safetensors"));
    setenv("HF_HOME", dir.path().c_str(), 1);
    unsetenv("HF_HUB_CACHE");
  }
  ~HubCache() { unsetenv("HF_HOME"); }
  const std::string snapshot = "hub/models--org--tiny/snapshots/0123abcd/";
  TempDir dir;
};

TEST(HubCache, GivesTheSnapshotOfMain) {
  const HubCache cache;
  EXPECT_NE(Checkpoint::open("org/tiny")->find("w"), nullptr);
  setenv("HF_HUB_CACHE", cache.dir.path("hub").c_str(), 1);
  setenv("HF_HOME", "/nowhere", 1);
  EXPECT_NE(Checkpoint::open("org/tiny")->find("w"), nullptr);
  unsetenv("HF_HUB_CACHE");
}

TEST(HubCache, SaysWhatItLacks) {
  const HubCache cache;
  EXPECT_COMPLAINT(kBadInput, "`hf download org/other`", Checkpoint::open("org/other"));
  EXPECT_COMPLAINT(kBadInput, "no such file or directory", Checkpoint::open("../org/tiny"));
  cache.dir.write("hub/models--org--tiny/blobs/88.incomplete", "");
  std::filesystem::remove(cache.dir.path(cache.snapshot + "model.safetensors"));
  EXPECT_COMPLAINT(kBadInput, "download was not finished", Checkpoint::open("org/tiny"));
  cache.dir.write("hub/models--org--tiny/refs/main", "ffff\n");
  EXPECT_COMPLAINT(kBadInput, "the cache lacks its snapshot", Checkpoint::open("org/tiny"));
  cache.dir.write("hub/models--org--tiny/refs/main", "../../../etc");
  EXPECT_COMPLAINT(kBadInput, "must name a commit", Checkpoint::open("org/tiny"));
}

TEST(HfDirectory, GivesMatricesOfRankOneToThree) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write("model.safetensors",
            safetensors(R"({"m.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                        R"("n.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
                        R"("e.weight":{"dtype":"F32","shape":[2,1,2],"data_offsets":[32,48]},)"
                        R"("s":{"dtype":"F32","shape":[],"data_offsets":[48,52]},)"
                        R"("i.weight":{"dtype":"I32","shape":[1],"data_offsets":[52,56]},)"
                        R"("z.weight":{"dtype":"F32","shape":[0,3],"data_offsets":[56,56]}})",
                        std::string(32, '\0') + raw(1.0f) + raw(2.0f) + raw(3.0f) + raw(4.0f) +
                            std::string(8, '\0')));
  const auto model = Checkpoint::open(dir.path());
  EXPECT_EQ(model->matrix("m")->shape, (Shape{2, 3}));
  EXPECT_EQ(model->matrix("n.bias")->shape, (Shape{1, 2}));
  const auto expert = model->matrix("e", 1, 2);
  EXPECT_EQ(expert->shape, (Shape{1, 2}));
  Matrix<float> numbers(1, 2);
  expert->format->dequantize(*expert, 0, numbers.view());
  EXPECT_EQ(numbers.view().row(0)[0], 3.0f);
  EXPECT_FALSE(model->matrix("none"));
  EXPECT_FALSE(model->activations("m"));
  EXPECT_COMPLAINT(kBadInput, "must hold 3 matrices", model->matrix("e", 0, 3));
  EXPECT_COMPLAINT(kBadInput, "must be 2 matrices", model->matrix("m", 0, 2));
  EXPECT_COMPLAINT(kBadInput, "must be a vector or a matrix", model->matrix("s"));
  EXPECT_COMPLAINT(kBadInput, "is empty", model->matrix("z"));
  EXPECT_COMPLAINT(kUnsupported, "type I32 cannot be used", model->matrix("i"));
}

TEST(HfDirectory, CopiesMatricesThatLieAtOddAddresses) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write(
      "model.safetensors",  // the header has 59 bytes
      safetensors(R"({"m.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", raw(7.0f)));
  const auto model = Checkpoint::open(dir.path());
  const auto matrix = model->matrix("m");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix->parts[0].view().data()) % 4, 0u);
  EXPECT_EQ(*matrix->parts[0].as<float>(), 7.0f);
  model->release(*matrix);
}

}  // namespace
}  // namespace farthing::io
