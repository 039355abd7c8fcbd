// Random rotations: x -> R D x with D of random signs and R the product of a Hadamard matrix, of
// the largest power of two that divides the width, and a Hartley matrix of what is left of the
// width; where the whole would be wider than asked for, Hadamard matrices down the diagonal alone.
// Orthogonal, with entries of about one size, and its own transpose but for the signs (Ashkboos et
// al., 2024, QuaRot; Liu et al., 2024, SpinQuant; Hartley in the place of tabulated Hadamard
// matrices, which do not exist for odd sizes).
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
  std::int64_t block() const { return power_ * parts_; }
  // Each run of width() numbers of a row becomes R D of it. The row is whole runs.
  void rotate_row(std::span<float> row) const;
  void rotate_rows(Runtime& runtime, MatrixView<float> rows) const;
  // The same down the columns: each run of width() rows.
  void rotate_columns(Runtime& runtime, MatrixView<float> rows) const;

 private:
  void mix_parts(std::span<float> row) const;

  std::int64_t power_ = 1, parts_ = 1;  // of Hadamard; of the Hartley matrix across these
  std::vector<float> signs_, hartley_;
};

}  // namespace farthing::compress
