#include "io/durable_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/text.h"

namespace farthing::io {
namespace {

namespace fs = std::filesystem;

std::string parent_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, std::string_view what)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) refuse_file(what, path, errno);
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, ByteSpan bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t done = write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) refuse_file("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

}  // namespace

void refuse_file(std::string_view what, const std::string& path, int error) {
  const std::string shown = printable(path, 400);
  const std::string reason = std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG || error == ENOMEM || error == EMFILE ||
      error == ENFILE)
    out_of_resources("{}: cannot {} it: {}; make room or choose another place", shown, what,
                     reason);
  bad_input("{}: cannot {} it: {}", shown, what, reason);
}

void write_durably(const std::string& path, std::span<const ByteSpan> pieces) {
  const std::string temporary = path + ".tmp";
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC, "write");
    for (const ByteSpan piece : pieces) write_all(file.get(), piece, path);
    if (fsync(file.get()) != 0) refuse_file("write", path, errno);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  rename_durably(temporary, path);
}

void write_durably(const std::string& path, std::string_view text) {
  const ByteSpan bytes = std::as_bytes(std::span(text));
  write_durably(path, std::span(&bytes, 1));
}

void make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0) return sync_directory(parent_of(path));
  const int error = errno;
  struct stat status{};
  if (error == EEXIST && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return;
  refuse_file("make", path, error);
}

void sync_directory(const std::string& path) {
  const Descriptor directory(path, O_RDONLY | O_DIRECTORY, "sync");
  // Some file systems cannot sync a directory and say so with EINVAL.
  if (fsync(directory.get()) != 0 && errno != EINVAL) refuse_file("sync", path, errno);
}

void rename_durably(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) refuse_file("rename a file to", to, errno);
  sync_directory(parent_of(to));
}

void swap_durably(const std::string& a, const std::string& b) {
  if (renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) != 0)
    refuse_file("replace", b, errno);
  sync_directory(parent_of(b));
}

std::uint64_t free_bytes(const std::string& path) {
  fs::path place = fs::absolute(path);
  std::error_code ignored;
  while (!fs::exists(place, ignored) && place.has_relative_path()) place = place.parent_path();
  struct statvfs status{};
  if (statvfs(place.c_str(), &status) != 0) refuse_file("ask for the free space of", path, errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

FileLock::FileLock(const std::string& path) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) refuse_file("lock", path, errno);
  if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  close(fd_);
  if (error != EWOULDBLOCK) refuse_file("lock", path, error);
  usage_error("{}: another process is writing there; wait for it or choose another name",
              printable(path, 400));
}

FileLock::~FileLock() { close(fd_); }

}  // namespace farthing::io
