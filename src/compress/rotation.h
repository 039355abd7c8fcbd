// Random block Hadamard rotations: x -> H D x with D of random signs and H Hadamard matrices down
// the diagonal, each of the largest power of two that divides the width. Orthogonal and its own
// transpose but for the signs (Ashkboos et al., 2024, QuaRot; Liu et al., 2024, SpinQuant).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/runtime.h"
#include "tensor/matrix_view.h"

namespace farthing::compress {

class Rotation {
 public:
  Rotation() = default;
  // Blocks of at most `most` numbers.
  Rotation(std::int64_t width, std::int64_t most, Random& random);

  std::int64_t width() const { return std::ssize(signs_); }
  std::int64_t block() const { return block_; }
  // Each run of width() numbers of a row becomes H D of it. The row is whole runs.
  void rotate_row(std::span<float> row) const;
  void rotate_rows(Runtime& runtime, MatrixView<float> rows) const;
  // The same down the columns: each run of width() rows.
  void rotate_columns(Runtime& runtime, MatrixView<float> rows) const;

 private:
  std::int64_t block_ = 1;
  std::vector<float> signs_;
};

}  // namespace farthing::compress
