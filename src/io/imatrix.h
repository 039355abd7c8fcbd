// llama.cpp's importance matrix: for each matrix of a model the mean square of its inputs over a
// calibration text. GGUF file of general.type "imatrix" (llama.cpp, tools/imatrix): tensors
// NAME.in_sum2 (experts, inputs) and NAME.counts (experts, 1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/gguf.h"
#include "io/mapped_file.h"

namespace farthing::io {

class ImportanceMatrix {
 public:
  // Error: bad input for a file that is no importance matrix or has numbers that are none.
  explicit ImportanceMatrix(const std::string& path);

  // Mean x_j^2 of the matrix called `name` in GGUF ("blk.0.attn_q.weight"), for expert `slice` of
  // `slices`; empty when the file has none, or the expert saw no token. Error: bad input, when it
  // is for another number of inputs or experts.
  std::vector<float> find(std::string_view name, int slice, int slices, std::int64_t inputs) const;

  const std::string& path() const { return path_; }
  std::size_t size() const { return content_.tensors.size() / 2; }

 private:
  const TensorInfo* tensor(const std::string& name) const;

  std::string path_;
  MappedFile file_;
  Gguf content_;
};

}  // namespace farthing::io
