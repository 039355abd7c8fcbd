#include "io/planned_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/text.h"
#include "io/durable_file.h"

namespace farthing::io {

PlannedFile::PlannedFile(std::string path, std::uint64_t bytes)
    : path_(std::move(path)), temporary_(path_ + ".tmp") {
  fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) refuse_file("make", path_, errno);
  int error = EINTR;
  while (error == EINTR) error = posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  if (error == 0) return;
  close(fd_);
  unlink(temporary_.c_str());
  refuse_file(fmt::format("take the {} for", human_bytes(bytes)), path_, error);
}

PlannedFile::~PlannedFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

void PlannedFile::write(std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min<std::size_t>(bytes.size(), 1 << 30);
    const ssize_t done = pwrite(fd_, bytes.data(), piece, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) refuse_file("write", path_, done < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

void PlannedFile::commit() {
  if (fsync(fd_) != 0) refuse_file("write", path_, errno);
  close(fd_);
  fd_ = -1;
  rename_durably(temporary_, path_);
}

}  // namespace farthing::io
