// Files that survive a crash: written under a temporary name, synced, renamed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/cursor.h"

namespace farthing::io {

// What a failed system call on a path means to the user ("cannot WHAT it: ..."): a full disk, a
// quota or a size limit is out of resources, everything else bad input.
[[noreturn]] void refuse_file(std::string_view what, const std::string& path, int error);

// Writes the pieces one after another to `path`. At any moment the path shows the old content or
// the new one. Error: out of resources, when the disk is full or a quota or limit is reached; bad
// input, when the place cannot be written.
void write_durably(const std::string& path, std::span<const ByteSpan> pieces);
void write_durably(const std::string& path, std::string_view text);

// Makes a directory, unless it is there. Error: as above.
void make_directory(const std::string& path);
// Makes what was renamed or created in a directory permanent.
void sync_directory(const std::string& path);
// Error: as above; the rename is atomic and made permanent.
void rename_durably(const std::string& from, const std::string& to);
// Lets two names of one directory's file system change places, atomically.
void swap_durably(const std::string& a, const std::string& b);

// Bytes that may still be written in the file system of `path` (which may not exist yet).
std::uint64_t free_bytes(const std::string& path);

// Held by one process at a time; given back when destroyed or when the process ends.
class FileLock {
 public:
  // Error: usage, when another process holds it.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace farthing::io
