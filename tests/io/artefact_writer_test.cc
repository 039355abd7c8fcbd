#include "io/artefact_writer.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "io/hf_directory.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

TensorInfo tensor(std::string name, std::string dtype, std::vector<std::int64_t> shape,
                  std::string_view bytes) {
  return {std::move(name), std::move(dtype), std::move(shape), as_bytes(bytes)};
}

TEST(WriteSafetensors, WritesWhatTheReaderReadsAlignedAndInAFixedOrder) {
  const TempDir dir;
  const std::vector<TensorInfo> tensors = {
      tensor("b", "I8", {3}, "abc"), tensor("z", "F32", {1, 2}, "12345678"),
      tensor("a", "I8", {1}, "x"), tensor("e", "BF16", {0}, "")};
  write_safetensors(dir.path("m"), tensors);
  const SafetensorsFile file(dir.path("m"));
  std::vector<std::string> names;
  for (const TensorInfo& read : file.content().tensors) names.push_back(read.name);
  EXPECT_THAT(names, testing::ElementsAre("z", "e", "a", "b"));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.content().tensors[0].bytes.data()) % 64, 0u);
  EXPECT_EQ(std::memcmp(file.content().tensors[3].bytes.data(), "abc", 3), 0);
  EXPECT_EQ(file.content().metadata[0], (std::pair<std::string, std::string>("format", "pt")));
  std::vector<TensorInfo> turned(tensors.rbegin(), tensors.rend());
  write_safetensors(dir.path("n"), turned);
  EXPECT_EQ(read_text_file(dir.path("m")), read_text_file(dir.path("n")));
}

TEST(WriteSafetensors, RefusesNamesThatAreNotText) {
  const TempDir dir;
  const std::vector<TensorInfo> tensors = {tensor("a\xff", "I8", {1}, "x")};
  EXPECT_COMPLAINT(kBadInput, "must be UTF-8", write_safetensors(dir.path("m"), tensors));
}

std::string shard_data(int shard) { return std::string(300'000, static_cast<char>('a' + shard)); }

void write_all(const std::string& out, int shards) {
  ArtefactWriter writer(out, "key", shards);
  for (int shard = 0; shard < shards; ++shard) {
    if (writer.has(shard)) continue;
    const std::string data = shard_data(shard);
    const std::vector<TensorInfo> tensors = {
        tensor("t" + std::to_string(shard), "U8", {300'000}, data)};
    writer.write_shard(shard, tensors, {{"error", shard}});
  }
  writer.write_file("config.json", R"({"model_type":"x"})");
  writer.finish();
}

TEST(ArtefactWriter, WritesADirectoryThatOpens) {
  const TempDir dir;
  write_all(dir.path("out"), 3);
  EXPECT_FALSE(file_exists(dir.path("out.partial")));
  const auto index =
      parse_shard_index(read_text_file(dir.path("out/model.safetensors.index.json")), "index");
  EXPECT_THAT(index.files, testing::ElementsAre("model-00001-of-00003.safetensors",
                                                "model-00002-of-00003.safetensors",
                                                "model-00003-of-00003.safetensors"));
  for (int shard = 0; shard < 3; ++shard) {
    const SafetensorsFile file(dir.path("out/" + index.files[static_cast<std::size_t>(shard)]));
    const std::string data = shard_data(shard);
    EXPECT_EQ(std::memcmp(file.content().tensors[0].bytes.data(), data.data(), data.size()), 0);
  }
}

TEST(ArtefactWriter, NeedsNoIndexForOneShard) {
  const TempDir dir;
  write_all(dir.path("out/"), 1);
  EXPECT_TRUE(file_exists(dir.path("out/model.safetensors")));
  EXPECT_FALSE(file_exists(dir.path("out/model.safetensors.index.json")));
}

TEST(ArtefactWriter, GoesOnWhereARunWithTheSameKeyStopped) {
  const TempDir dir;
  const std::string data = shard_data(1);
  {
    ArtefactWriter writer(dir.path("out"), "key", 2);
    EXPECT_FALSE(writer.has(1));
    const std::vector<TensorInfo> tensors = {tensor("t1", "U8", {300'000}, data)};
    writer.write_shard(1, tensors, {{"error", 0.25}});
    EXPECT_COMPLAINT(kUsage, "another process", ArtefactWriter(dir.path("out"), "key", 2));
  }
  EXPECT_FALSE(file_exists(dir.path("out")));
  EXPECT_COMPLAINT(kUsage, "other settings", ArtefactWriter(dir.path("out"), "else", 2));
  EXPECT_COMPLAINT(kUsage, "other settings", ArtefactWriter(dir.path("out"), "key", 3));
  {
    const ArtefactWriter writer(dir.path("out"), "key", 2);
    EXPECT_FALSE(writer.has(0));
    EXPECT_TRUE(writer.has(1));
    EXPECT_EQ(writer.note(1), Json({{"error", 0.25}}));
  }
  std::filesystem::resize_file(dir.path("out.partial/files/model-00002-of-00002.safetensors"), 9);
  EXPECT_FALSE(ArtefactWriter(dir.path("out"), "key", 2).has(1));
  write_all(dir.path("out"), 2);
  EXPECT_TRUE(file_exists(dir.path("out/model.safetensors.index.json")));
}

TEST(ArtefactWriter, RefusesAnOutputThatIsThere) {
  const TempDir dir;
  EXPECT_COMPLAINT(kUsage, "is there already", ArtefactWriter(dir.write("f", "x"), "key", 1));
  dir.write("full/a", "x");
  EXPECT_COMPLAINT(kUsage, "is there already", ArtefactWriter(dir.path("full/"), "key", 1));
  EXPECT_COMPLAINT(kUsage, "empty name", ArtefactWriter("", "key", 1));
  EXPECT_COMPLAINT(kBadInput, "No such file", ArtefactWriter(dir.path("no/such"), "key", 1));
  std::filesystem::create_directory(dir.path("empty"));
  write_all(dir.path("empty"), 1);
  EXPECT_TRUE(file_exists(dir.path("empty/config.json")));
}

TEST(ArtefactWriter, LeavesNothingOrAllWhenItIsKilledAtAnyMoment) {
  const TempDir dir;
  const auto start = std::chrono::steady_clock::now();
  write_all(dir.path("whole"), 4);
  const auto whole = std::chrono::steady_clock::now() - start;
  for (int tenth = 0; tenth < 11; ++tenth) {
    const std::string out = dir.path("out" + std::to_string(tenth));
    const pid_t child = fork();
    if (child == 0) {
      write_all(out, 4);
      _exit(0);
    }
    std::this_thread::sleep_for(whole / 10 * tenth);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (!file_exists(out)) write_all(out, 4);
    for (const auto& entry : std::filesystem::directory_iterator(dir.path("whole"))) {
      const std::string name = entry.path().filename();
      ASSERT_EQ(read_text_file(out + "/" + name), read_text_file(entry.path())) << name;
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(out), {}), 6);
  }
}

}  // namespace
}  // namespace farthing::io
