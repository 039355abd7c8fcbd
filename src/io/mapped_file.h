// A read-only file in memory.
#pragma once

#include <string>

#include "core/cursor.h"

namespace farthing::io {

// The file must keep its length while it is mapped: see docs/adr/0010 and mapped_file_at().
class MappedFile {
 public:
  // Maps a regular file. Error: bad input for a directory, a FIFO, a device, an unreadable or
  // missing file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&&) noexcept;
  MappedFile& operator=(MappedFile&&) noexcept;

  ByteSpan bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  // Tells the system that these bytes will not be read again soon, so that they, and what it mapped
  // around them, stop counting as resident. All bytes stay readable.
  void release(ByteSpan range) const;

 private:
  std::string path_;
  ByteSpan bytes_;
  int slot_ = -1;  // in the table that mapped_file_at() reads
};

// The path of the file mapped at an address, or null. May be called from a signal handler: reading
// a file that somebody cut short while it was mapped ends in SIGBUS, and this says which one.
const char* mapped_file_at(const void* address) noexcept;

// A whole text file. Error: as MappedFile, and when it is larger than `limit` bytes.
std::string read_text_file(const std::string& path, std::uint64_t limit = std::uint64_t{4} << 30);
bool file_exists(const std::string& path);

}  // namespace farthing::io
