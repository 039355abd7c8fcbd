#include "compress/rotation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace farthing::compress {
namespace {

// cos + sin of 2 pi i k / size, over the root of the size: symmetric and its own inverse.
std::vector<float> hartley_matrix(std::int64_t size) {
  std::vector<float> matrix;
  const auto count = static_cast<double>(size);
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t k = 0; k < size; ++k) {
      const double turn = 2 * std::numbers::pi * static_cast<double>(i * k % size) / count;
      matrix.push_back(static_cast<float>((std::cos(turn) + std::sin(turn)) / std::sqrt(count)));
    }
  return matrix;
}

}  // namespace

Rotation::Rotation(std::int64_t width, std::int64_t most, Random& random) {
  while (power_ * 2 <= most && width % (power_ * 2) == 0) power_ *= 2;
  if (width <= most) parts_ = width / power_;
  if (parts_ > 1) hartley_ = hartley_matrix(parts_);
  for (std::int64_t j = 0; j < width; ++j) signs_.push_back(random.below(2) == 0 ? 1.0f : -1.0f);
}

void Rotation::rotate_row(std::span<float> row) const {
  assert(std::ssize(row) % width() == 0);
  const auto unit = static_cast<float>(1 / std::sqrt(static_cast<double>(power_)));
  const auto size = static_cast<std::size_t>(power_);
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
  if (parts_ > 1) mix_parts(row);
}

// Each place of a power of two, over the parts.
void Rotation::mix_parts(std::span<float> row) const {
  const auto parts = static_cast<std::size_t>(parts_), size = static_cast<std::size_t>(power_);
  std::vector<float> mixed(parts);
  for (std::size_t first = 0; first < row.size(); first += parts * size)
    for (std::size_t j = 0; j < size; ++j) {
      const auto at = [&](std::size_t part) -> float& { return row[first + part * size + j]; };
      for (std::size_t i = 0; i < parts; ++i) {
        mixed[i] = 0;
        for (std::size_t k = 0; k < parts; ++k) mixed[i] += hartley_[i * parts + k] * at(k);
      }
      for (std::size_t i = 0; i < parts; ++i) at(i) = mixed[i];
    }
}

void Rotation::rotate_rows(Runtime& runtime, MatrixView<float> rows) const {
  runtime.parallel(rows.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) rotate_row(rows.row(r));
  });
}

void Rotation::rotate_columns(Runtime& runtime, MatrixView<float> rows) const {
  assert(rows.rows % width() == 0);
  constexpr std::int64_t kStrip = 16;  // columns that share cache lines
  runtime.parallel(rows.cols, kStrip, [&](std::int64_t begin, std::int64_t end) {
    Matrix<float> turned(end - begin, rows.rows);
    const auto columns = turned.view();
    for (std::int64_t r = 0; r < rows.rows; ++r)
      for (std::int64_t c = begin; c < end; ++c)
        columns.row_data(c - begin)[r] = rows.row_data(r)[c];
    for (std::int64_t c = begin; c < end; ++c) rotate_row(columns.row(c - begin));
    for (std::int64_t r = 0; r < rows.rows; ++r)
      for (std::int64_t c = begin; c < end; ++c)
        rows.row_data(r)[c] = columns.row_data(c - begin)[r];
  });
}

}  // namespace farthing::compress
