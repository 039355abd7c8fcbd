#include "calibrate/hidden_states.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/cursor.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::calibrate {
namespace {

// A file without a name, at its full size: a disk that is full shows here and not as a crash later.
int open_spill(const std::string& directory, std::size_t bytes) {
  std::string name = directory + "/activations.XXXXXX";
  const int fd = mkstemp(name.data());
  if (fd < 0)
    out_of_resources("{}: cannot make a file for calibration activations: {}",
                     printable(directory, 400), std::strerror(errno));
  unlink(name.c_str());
  const int failed = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (failed != 0) {
    close(fd);
    out_of_resources(
        "{}: calibration activations need {} of disk beyond the memory limit: {}; raise "
        "--memory-limit, use fewer --samples or make room",
        printable(directory, 400), human_bytes(bytes), std::strerror(failed));
  }
  return fd;
}

}  // namespace

HiddenStates::HiddenStates(std::int64_t tokens, std::int64_t hidden,
                           const std::string& spill_directory)
    : tokens_(tokens), hidden_(hidden) {
  bytes_ = checked_multiply(
      checked_multiply(static_cast<std::uint64_t>(tokens), static_cast<std::uint64_t>(hidden),
                       "calibration activations"),
      sizeof(float), "calibration activations");
  const bool in_memory = spill_directory.empty();
  const int fd = in_memory ? -1 : open_spill(spill_directory, bytes_);
  void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                  in_memory ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  if (at == MAP_FAILED)
    out_of_resources("cannot map {} for calibration activations: {}", human_bytes(bytes_),
                     std::strerror(errno));
  data_ = static_cast<float*>(at);
}

HiddenStates::~HiddenStates() { munmap(data_, bytes_); }

}  // namespace farthing::calibrate
