// A safetensors file whose tensors are filled piece by piece, in any order and by several threads,
// so that no tensor need be in memory at once. The file appears whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/planned_file.h"

namespace farthing::io {

struct PlannedTensor {
  std::string name;
  std::string dtype;  // safetensors' ("BF16")
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;  // Error: bad input for an unknown dtype or more than 64 bits
};

class PlannedSafetensors {
 public:
  // Takes the place on disk and writes the header; the layout is that of safetensors_layout().
  // Error: out of resources, bad input.
  PlannedSafetensors(std::string path, std::vector<PlannedTensor> tensors);

  const std::vector<PlannedTensor>& tensors() const { return tensors_; }
  const std::string& path() const { return file_.path(); }
  // Bytes of tensor number `tensor` from `offset` on; threads may write different bytes at once.
  // What is never written is zero. Error: as the constructor.
  void write(std::size_t tensor, std::uint64_t offset, ByteSpan bytes);
  // Syncs to disk and renames into place.
  void commit() { file_.commit(); }

 private:
  struct Layout {
    std::string head;
    std::vector<std::uint64_t> offsets;  // of each tensor in the file
    std::uint64_t end = 0;
  };
  static Layout lay_out(const std::vector<PlannedTensor>& tensors);
  PlannedSafetensors(std::string path, std::vector<PlannedTensor> tensors, Layout layout);

  std::vector<PlannedTensor> tensors_;
  std::vector<std::uint64_t> offsets_;
  PlannedFile file_;
};

}  // namespace farthing::io
