// Writes GGUF files, version 3, tensor by tensor and piece by piece.
// Spec: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "io/planned_file.h"

namespace farthing::io {

struct PlannedGgufTensor {
  std::string name;
  std::string type;                 // "Q4_K"
  std::vector<std::int64_t> shape;  // outermost first
  std::uint64_t bytes() const;      // Error: bad input for a row that is no whole number of blocks
};

class PlannedGguf {
 public:
  // Takes the place on disk and writes everything in front of the tensors' numbers. Metadata is an
  // object in GGUF's keys; the types in the file follow from the values: whole numbers U32 (I32 or
  // 64 bits where that does not reach), others F32, arrays of whole numbers I32. Error: bad input
  // for names longer than readers take; out of resources.
  PlannedGguf(std::string path, const Json& metadata, std::vector<PlannedGgufTensor> tensors);

  const std::vector<PlannedGgufTensor>& tensors() const { return tensors_; }
  std::uint64_t file_bytes() const { return end_; }
  // Bytes of tensor number `tensor` from `offset` on; threads may write different bytes at once.
  void write(std::size_t tensor, std::uint64_t offset, ByteSpan bytes);
  void commit() { file_.commit(); }

 private:
  struct Layout {
    std::string head;
    std::vector<std::uint64_t> offsets;  // of each tensor in the file
    std::uint64_t end = 0;
  };
  static Layout lay_out(const Json& metadata, const std::vector<PlannedGgufTensor>& tensors);
  PlannedGguf(std::string path, std::vector<PlannedGgufTensor> tensors, Layout layout);

  std::vector<PlannedGgufTensor> tensors_;
  std::vector<std::uint64_t> offsets_;
  std::uint64_t end_;
  PlannedFile file_;
};

}  // namespace farthing::io
