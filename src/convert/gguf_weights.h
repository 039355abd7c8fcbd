// The numbers of a GGUF file: each matrix row by row from the checkpoint, copied, moved on its grid
// or rounded, and compared with what it was.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "convert/convert.h"
#include "convert/gguf_types.h"
#include "io/gguf_writer.h"
#include "io/imatrix.h"

namespace farthing::convert {

class WeightWriter {
 public:
  // All are borrowed; one target an item. Error: bad input for an importance file that is none.
  WeightWriter(Runtime& runtime, const model::TensorMap& map, const std::vector<GgufItem>& items,
               const std::vector<GgufTarget>& targets, const ConvertOptions& options);

  // Fills the tensors of the file, which are the items. Error: bad input, naming the matrix, for
  // weights that the target cannot hold; interrupted.
  std::vector<TensorReport> write(io::PlannedGguf& file, Progress& progress);
  void add_notes(std::vector<std::string>& notes) const;

 private:
  struct Sums {
    double error = 0, magnitude = 0;
    std::int64_t unequal = 0;
  };
  struct Source {
    const QuantizedTensor& tensor;
    const std::vector<std::int32_t>& order;
    const GgufTarget& target;
    const std::vector<float>& importance;
  };

  void write_slice(io::PlannedGguf& file, std::size_t number, std::size_t slice);
  std::vector<float> importance_of(std::size_t number, std::size_t slice);
  void move_rows(const Source& from, std::int64_t first, std::int64_t begin, std::int64_t end,
                 QuantizedTensor& made, std::vector<Sums>& sums) const;
  static Sums compare(std::span<const float> was, std::span<const float> is);

  Runtime& runtime_;
  const model::TensorMap& map_;
  const std::vector<GgufItem>& items_;
  const std::vector<GgufTarget>& targets_;
  const ConvertOptions& options_;
  std::unique_ptr<io::ImportanceMatrix> importance_;
  std::vector<std::string> without_importance_;  // matrices that the file does not cover
  Sums sums_;
};

}  // namespace farthing::convert
