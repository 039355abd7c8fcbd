#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "core/text.h"

namespace farthing::io {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) { return std::generic_category().message(error); }

struct OpenFile {
  int fd;
  std::uint64_t size;
};

// O_NONBLOCK: a FIFO must not make us wait for its writer.
OpenFile open_regular(const std::string& path) {
  const std::string shown = printable(path, 400);
  if (path.find('\0') != std::string::npos) bad_input("{}: a path cannot hold a zero byte", shown);
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) bad_input("{}: cannot open it: {}", shown, reason(errno));
  struct stat status{};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    const char* kind = S_ISDIR(status.st_mode)    ? "a directory"
                       : S_ISFIFO(status.st_mode) ? "a pipe"
                                                  : "a device or a socket";
    bad_input("{}: must be a regular file; it is {}", shown, kind);
  }
  return {fd, static_cast<std::uint64_t>(status.st_size)};
}

// Which file lies where, for the signal handler: fixed memory, no locks. Files beyond the table
// are mapped all the same, only the handler cannot name them.
struct Slot {
  std::atomic<std::uintptr_t> begin{0}, end{0};  // begin 0: free; 1: being filled
  std::array<char, 512> path{};
};
std::array<Slot, 256> slots;

int claim_slot(ByteSpan bytes, const std::string& path) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = slots[i];
    std::uintptr_t expected = 0;
    if (!slot.begin.compare_exchange_strong(expected, 1)) continue;
    const std::string shown = printable(path, slot.path.size() - 8);
    slot.path[shown.copy(slot.path.data(), slot.path.size() - 1)] = '\0';
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
    slot.end.store(begin + bytes.size());
    slot.begin.store(begin);
    return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const OpenFile file = open_regular(path);
  const Descriptor closer(file.fd);
  if (file.size == 0) return;
  void* address = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED)
    out_of_resources("{}: cannot map its {}: {}", printable(path, 400), human_bytes(file.size),
                     reason(errno));
  bytes_ = {static_cast<const std::byte*>(address), static_cast<std::size_t>(file.size)};
  slot_ = claim_slot(bytes_, path);
}

MappedFile::~MappedFile() {
  if (slot_ >= 0) slots[static_cast<std::size_t>(slot_)].begin.store(0);
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      bytes_(std::exchange(other.bytes_, {})),
      slot_(std::exchange(other.slot_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(slot_, other.slot_);
  return *this;
}

void MappedFile::release(ByteSpan range) const {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto file_begin = reinterpret_cast<std::uintptr_t>(bytes_.data());
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
  const std::uintptr_t end = begin + range.size();
  if (range.empty() || begin < file_begin || end > file_begin + bytes_.size()) return;
  // With a page Linux maps those around it in the page cache too (fault_around_bytes). A neighbour
  // that is still read comes back from there.
  constexpr std::uintptr_t kAround = 65536;
  const std::uintptr_t first = std::max(begin / kAround * kAround, file_begin);
  const std::uintptr_t last =
      std::min((end + kAround - 1) / kAround * kAround,
               (file_begin + bytes_.size() + page - 1) / page * page);
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

const char* mapped_file_at(const void* address) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto page = static_cast<std::uintptr_t>(4096);  // the last page reaches past the end
  for (const Slot& slot : slots) {
    const std::uintptr_t begin = slot.begin.load();
    if (begin > 1 && at >= begin && at < (slot.end.load() + page - 1) / page * page)
      return slot.path.data();
  }
  return nullptr;
}

std::string read_text_file(const std::string& path, std::uint64_t limit) {
  const OpenFile file = open_regular(path);
  const Descriptor closer(file.fd);
  if (file.size > limit)
    bad_input("{}: has {}, the limit for such a file is {}", printable(path, 400),
              human_bytes(file.size), human_bytes(limit));
  std::string text(file.size, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = read(file.fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) bad_input("{}: cannot read it: {}", printable(path, 400), reason(errno));
    if (got == 0) break;  // it became shorter
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

bool file_exists(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0;
}

}  // namespace farthing::io
