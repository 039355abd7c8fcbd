#include "io/durable_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "io/mapped_file.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

TEST(WriteDurably, ReplacesTheContentAndLeavesNoTemporaryFile) {
  const TempDir dir;
  write_durably(dir.path("a"), "one");
  write_durably(dir.path("a"), "two");
  EXPECT_EQ(read_text_file(dir.path("a")), "two");
  EXPECT_FALSE(file_exists(dir.path("a.tmp")));
}

TEST(WriteDurably, SaysWhyAPlaceCannotBeWritten) {
  const TempDir dir;
  EXPECT_COMPLAINT(kBadInput, "No such file", write_durably(dir.path("none/a"), "x"));
  EXPECT_COMPLAINT(kBadInput, "Not a directory", write_durably(dir.write("file", "") + "/a", "x"));
  make_directory(dir.path("made"));
  make_directory(dir.path("made"));
  EXPECT_COMPLAINT(kBadInput, "cannot", write_durably(dir.path("made"), "x"));
  EXPECT_COMPLAINT(kBadInput, "File exists", make_directory(dir.path("file")));
  if (geteuid() != 0) {
    chmod(dir.path("made").c_str(), 0500);
    EXPECT_COMPLAINT(kBadInput, "Permission denied", write_durably(dir.path("made/a"), "x"));
  }
}

// A limit on the size of files stands for a full disk: both fail in write().
TEST(WriteDurably, TellsAFullDiskFromOtherFailuresAndKeepsTheOldContent) {
  const TempDir dir;
  write_durably(dir.path("a"), "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Complaint complaint =
      complaint_of([&] { write_durably(dir.path("a"), std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(complaint.fault, Fault::kResources);
  EXPECT_THAT(complaint.text, testing::HasSubstr("make room or choose another place"));
  EXPECT_EQ(read_text_file(dir.path("a")), "old");
  EXPECT_FALSE(file_exists(dir.path("a.tmp")));
}

TEST(FileLock, IsHeldOnceAtATime) {
  const TempDir dir;
  {
    const FileLock lock(dir.path("lock"));
    EXPECT_COMPLAINT(kUsage, "another process", FileLock(dir.path("lock")));
  }
  const FileLock again(dir.path("lock"));
}

TEST(FreeBytes, AnswersForAPlaceThatDoesNotExistYet) {
  const TempDir dir;
  EXPECT_GT(free_bytes(dir.path("not/yet")), 0u);
}

}  // namespace
}  // namespace farthing::io
