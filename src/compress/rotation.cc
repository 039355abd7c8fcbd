#include "compress/rotation.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace farthing::compress {

Rotation::Rotation(std::int64_t width, std::int64_t most, Random& random) {
  while (block_ * 2 <= most && width % (block_ * 2) == 0) block_ *= 2;
  for (std::int64_t j = 0; j < width; ++j) signs_.push_back(random.below(2) == 0 ? 1.0f : -1.0f);
}

void Rotation::rotate_row(std::span<float> row) const {
  assert(std::ssize(row) % width() == 0);
  const auto unit = static_cast<float>(1 / std::sqrt(static_cast<double>(block_)));
  const auto size = static_cast<std::size_t>(block_);
  for (std::size_t first = 0; first < row.size(); first += size) {
    const auto x = row.subspan(first, size);
    for (std::size_t j = 0; j < size; ++j) x[j] *= signs_[(first + j) % signs_.size()] * unit;
    for (std::size_t half = 1; half < size; half *= 2)
      for (std::size_t base = 0; base < size; base += 2 * half)
        for (std::size_t j = base; j < base + half; ++j) {
          const float a = x[j], b = x[j + half];
          x[j] = a + b;
          x[j + half] = a - b;
        }
  }
}

void Rotation::rotate_rows(Runtime& runtime, MatrixView<float> rows) const {
  runtime.parallel(rows.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) rotate_row(rows.row(r));
  });
}

void Rotation::rotate_columns(Runtime& runtime, MatrixView<float> rows) const {
  assert(rows.rows % width() == 0);
  runtime.parallel(rows.rows / block_, 1, [&](std::int64_t begin, std::int64_t end) {
    const auto unit = static_cast<float>(1 / std::sqrt(static_cast<double>(block_)));
    for (std::int64_t run = begin; run < end; ++run) {
      const auto x = rows.rows_from(run * block_, block_);
      for (std::int64_t j = 0; j < block_; ++j) {
        const float sign = signs_[static_cast<std::size_t>((run * block_ + j) % width())] * unit;
        for (float& value : x.row(j)) value *= sign;
      }
      for (std::int64_t half = 1; half < block_; half *= 2)
        for (std::int64_t base = 0; base < block_; base += 2 * half)
          for (std::int64_t j = base; j < base + half; ++j) {
            float* a = x.row_data(j);
            float* b = x.row_data(j + half);
            for (std::int64_t c = 0; c < x.cols; ++c) {
              const float sum = a[c] + b[c], difference = a[c] - b[c];
              a[c] = sum;
              b[c] = difference;
            }
          }
    }
  });
}

}  // namespace farthing::compress
