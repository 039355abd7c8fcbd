#include "io/mapped_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "tests/io/files.h"

namespace farthing::io {
namespace {

TEST(MappedFile, ShowsTheBytesAndSurvivesAMove) {
  const TempDir dir;
  MappedFile file(dir.write("a", "hello"));
  const MappedFile moved = std::move(file);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(moved.bytes().data()), 5), "hello");
  EXPECT_TRUE(file.bytes().empty());
  EXPECT_TRUE(MappedFile(dir.write("empty", "")).bytes().empty());
}

TEST(MappedFile, ReadsTheSameBytesAfterARelease) {
  const TempDir dir;
  const std::string content(40'000, 'q');
  const MappedFile file(dir.write("a", content));
  file.release(file.bytes().subspan(100, 30'000));
  file.release({});
  EXPECT_EQ(std::memcmp(file.bytes().data(), content.data(), content.size()), 0);
}

TEST(MappedFile, NamesTheFileThatAnAddressBelongsTo) {
  const TempDir dir;
  const std::byte* address = nullptr;
  {
    const MappedFile file(dir.write("model.safetensors", "12345"));
    address = file.bytes().data();
    EXPECT_STREQ(mapped_file_at(address + 4), dir.path("model.safetensors").c_str());
    EXPECT_STREQ(mapped_file_at(address + 4000), dir.path("model.safetensors").c_str());
    EXPECT_EQ(mapped_file_at(address + 4096), nullptr);
    EXPECT_EQ(mapped_file_at(&dir), nullptr);
  }
  EXPECT_EQ(mapped_file_at(address), nullptr);
}

void report_and_exit(int, siginfo_t* info, void*) {
  const char* path = mapped_file_at(info->si_addr);
  _exit(path != nullptr && std::strstr(path, "shrinking") != nullptr ? 3 : 99);
}

// What the command line does, in a child: the parent must survive.
TEST(MappedFile, IsNamedWhenItWasCutShortWhileMapped) {
  const TempDir dir;
  const MappedFile file(dir.write("shrinking", std::string(100'000, 'x')));
  const pid_t child = fork();
  if (child == 0) {
    struct sigaction action = {};
    action.sa_sigaction = report_and_exit;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
    std::filesystem::resize_file(dir.path("shrinking"), 10);
    volatile std::byte read = file.bytes()[90'000];
    static_cast<void>(read);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST(MappedFile, OutlivesTheNameOfItsFile) {
  const TempDir dir;
  const MappedFile file(dir.write("a", "hello"));
  std::filesystem::remove(dir.path("a"));
  EXPECT_EQ(static_cast<char>(file.bytes()[4]), 'o');
}

TEST(MappedFile, RefusesWhatIsNotARegularReadableFile) {
  const TempDir dir;
  EXPECT_COMPLAINT(kBadInput, "No such file", MappedFile(dir.path("missing")));
  EXPECT_COMPLAINT(kBadInput, "it is a directory", MappedFile(dir.path()));
  ASSERT_EQ(mkfifo(dir.path("pipe").c_str(), 0600), 0);
  EXPECT_COMPLAINT(kBadInput, "it is a pipe", MappedFile(dir.path("pipe")));
  EXPECT_COMPLAINT(kBadInput, "it is a device", MappedFile("/dev/zero"));
  EXPECT_COMPLAINT(kBadInput, "it is a device", read_text_file("/dev/random"));
  std::filesystem::create_symlink("loop", dir.path("loop"));
  EXPECT_COMPLAINT(kBadInput, "symbolic links", MappedFile(dir.path("loop")));
  EXPECT_COMPLAINT(kBadInput, "zero byte", MappedFile(std::string("a\0b", 3)));
  EXPECT_COMPLAINT(kBadInput, "a\\x1b[2J", MappedFile("a\x1b[2J"));
  if (geteuid() != 0) {  // root may read everything
    chmod(dir.write("secret", "x").c_str(), 0);
    EXPECT_COMPLAINT(kBadInput, "Permission denied", MappedFile(dir.path("secret")));
  }
}

TEST(ReadTextFile, ReadsAllAndHoldsItsLimit) {
  const TempDir dir;
  const std::string path = dir.write("a", std::string("x\0y", 3));
  EXPECT_EQ(read_text_file(path), std::string("x\0y", 3));
  EXPECT_EQ(read_text_file(path, 3).size(), 3u);
  EXPECT_COMPLAINT(kBadInput, "the limit for such a file is 2 B", read_text_file(path, 2));
}

}  // namespace
}  // namespace farthing::io
