#include "io/planned_safetensors.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "io/artefact_writer.h"
#include "io/mapped_file.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

const std::vector<PlannedTensor> kTensors = {
    {"a.weight", "BF16", {3, 5}},   {"b.weight_packed", "I32", {2, 4}}, {"c.codes", "I8", {7}},
    {"b.weight_shape", "I64", {2}}, {"d.weight", "F32", {2, 2}},        {"empty", "F32", {0, 4}}};

// Byte k of tensor t, so that every byte tells where it belongs.
std::vector<std::vector<std::byte>> contents() {
  std::vector<std::vector<std::byte>> result;
  for (std::size_t t = 0; t < kTensors.size(); ++t) {
    result.emplace_back(kTensors[t].bytes());
    for (std::size_t k = 0; k < result[t].size(); ++k)
      result[t][k] = static_cast<std::byte>(t * 37 + k);
  }
  return result;
}

TEST(PlannedSafetensors, PiecesInAnyOrderGiveTheFileThatIsWrittenAtOnce) {
  const TempDir dir;
  const auto bytes = contents();
  std::vector<TensorInfo> whole;
  for (std::size_t t = 0; t < kTensors.size(); ++t)
    whole.push_back({kTensors[t].name, kTensors[t].dtype, kTensors[t].shape, bytes[t]});
  write_safetensors(dir.path("whole"), whole);
  PlannedSafetensors file(dir.path("pieces"), kTensors);
  for (std::size_t t = kTensors.size(); t-- > 0;) {
    const std::size_t half = bytes[t].size() / 2;
    file.write(t, half, std::span(bytes[t]).subspan(half));
    file.write(t, 0, std::span(bytes[t]).first(half));
  }
  EXPECT_FALSE(file_exists(dir.path("pieces")));
  file.commit();
  EXPECT_EQ(read_text_file(dir.path("pieces")), read_text_file(dir.path("whole")));
}

TEST(PlannedSafetensors, LeavesNothingWhenItIsGivenUp) {
  const TempDir dir;
  {
    const PlannedSafetensors file(dir.path("m"), kTensors);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path("")));
}

TEST(PlannedSafetensors, RefusesUnknownTypesAndBytesPastTheEnd) {
  const TempDir dir;
  EXPECT_COMPLAINT(kBadInput, "unknown dtype",
                   PlannedSafetensors(dir.path("m"), {{"a", "F37", {1}}}));
  PlannedSafetensors file(dir.path("m"), {{"a", "F32", {2}}});
  const std::vector<std::byte> bytes(8);
  EXPECT_THROW(file.write(0, 4, bytes), Error);
  EXPECT_NO_THROW(file.write(0, 0, bytes));
}

TEST(PlannedSafetensors, AFileSizeLimitIsOutOfResourcesBeforeAnyWork) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = 0;
    try {
      PlannedSafetensors(dir.path("m"), {{"a", "F32", {1 << 20}}});
    } catch (const Error& error) {
      code = static_cast<int>(error.fault);
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 5);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path("")));
}

TEST(ArtefactWriterReplace, OnlyAnArtefactIsReplacedAndInOneStep) {
  const TempDir dir;
  dir.write("out/farthing.json", "old");
  dir.write("out/old.txt", "x");
  dir.write("other/precious.txt", "x");
  EXPECT_COMPLAINT(kUsage, "was not written by Farthing",
                   ArtefactWriter(dir.path("other"), "key", 1, true));
  ArtefactWriter writer(dir.path("out"), "key", 1, true);
  const auto shard = writer.begin_shard(0, kTensors);
  const auto bytes = contents();
  for (std::size_t t = 0; t < kTensors.size(); ++t) shard->write(t, 0, bytes[t]);
  writer.finish_shard(0, *shard, {{"error", 0.5}});
  EXPECT_TRUE(writer.has(0));
  writer.write_file("farthing.json", "new");
  EXPECT_EQ(read_text_file(dir.path("out/farthing.json")), "old");
  writer.finish();
  EXPECT_EQ(read_text_file(dir.path("out/farthing.json")), "new");
  EXPECT_TRUE(file_exists(dir.path("out/model.safetensors")));
  EXPECT_FALSE(file_exists(dir.path("out/old.txt")));
  EXPECT_FALSE(file_exists(dir.path("out.partial")));
}

}  // namespace
}  // namespace farthing::io
