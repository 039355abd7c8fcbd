#include "io/planned_safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/text.h"
#include "io/durable_file.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"

namespace farthing::io {
namespace {

void write_at(int fd, std::uint64_t offset, ByteSpan bytes, const std::string& path) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min<std::size_t>(bytes.size(), 1 << 30);
    const ssize_t done = pwrite(fd, bytes.data(), piece, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) refuse_file("write", path, done < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

}  // namespace

std::uint64_t PlannedTensor::bytes() const {
  const auto bits = dtype_bits(dtype);
  if (!bits || *bits % 8 != 0)
    bad_input("{}: has the unknown dtype {}", printable(name), printable(dtype));
  std::uint64_t bytes = static_cast<std::uint64_t>(*bits / 8);
  for (const std::int64_t size : shape)
    bytes = checked_multiply(bytes, static_cast<std::uint64_t>(size), name);
  return bytes;
}

PlannedSafetensors::PlannedSafetensors(std::string path, std::vector<PlannedTensor> tensors)
    : path_(std::move(path)), temporary_(path_ + ".tmp"), tensors_(std::move(tensors)) {
  const SafetensorsLayout layout = safetensors_layout(tensors_);
  offsets_.resize(tensors_.size());
  std::uint64_t end = layout.head.size();
  for (const std::size_t i : layout.order) {
    offsets_[i] = end;
    end += tensors_[i].bytes();
  }
  fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) refuse_file("make", path_, errno);
  try {
    int error = EINTR;
    while (error == EINTR) error = posix_fallocate(fd_, 0, static_cast<off_t>(end));
    if (error != 0) refuse_file(fmt::format("take the {} for", human_bytes(end)), path_, error);
    write_at(fd_, 0, std::as_bytes(std::span(layout.head)), path_);
  } catch (...) {
    close(fd_);
    unlink(temporary_.c_str());
    throw;
  }
}

PlannedSafetensors::~PlannedSafetensors() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

void PlannedSafetensors::write(std::size_t tensor, std::uint64_t offset, ByteSpan bytes) {
  const std::uint64_t size = tensors_[tensor].bytes();
  if (offset > size || bytes.size() > size - offset)
    throw Error(Fault::kInternal, fmt::format("{}: writing past its end", tensors_[tensor].name));
  write_at(fd_, offsets_[tensor] + offset, bytes, path_);
}

void PlannedSafetensors::commit() {
  if (fsync(fd_) != 0) refuse_file("write", path_, errno);
  close(fd_);
  fd_ = -1;
  rename_durably(temporary_, path_);
}

}  // namespace farthing::io
