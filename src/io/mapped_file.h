// A read-only file in memory.
#pragma once

#include <string>

#include "core/cursor.h"

namespace farthing::io {

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
  // Tells the system that these bytes will not be read again soon, so that they stop counting as
  // resident.
  void release(ByteSpan range) const;

 private:
  std::string path_;
  ByteSpan bytes_;
};

// A whole text file. Error: as MappedFile, and when it is larger than `limit` bytes.
std::string read_text_file(const std::string& path, std::uint64_t limit = 4u << 30);
bool file_exists(const std::string& path);

}  // namespace farthing::io
