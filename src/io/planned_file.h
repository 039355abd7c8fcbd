// A file of known size that is filled piece by piece, in any order and by several threads, and
// appears whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "core/cursor.h"

namespace farthing::io {

class PlannedFile {
 public:
  // Makes the temporary file at its full size, so that a full disk shows before the work and not
  // after it. Error: out of resources, bad input.
  PlannedFile(std::string path, std::uint64_t bytes);
  ~PlannedFile();  // removes the temporary file, unless it was committed
  PlannedFile(const PlannedFile&) = delete;
  PlannedFile& operator=(const PlannedFile&) = delete;

  const std::string& path() const { return path_; }
  // What is never written is zero. Error: as the constructor.
  void write(std::uint64_t offset, ByteSpan bytes);
  // Syncs to disk and renames into place.
  void commit();

 private:
  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace farthing::io
