#include "kernels/dense/dense.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <type_traits>

namespace farthing::kernels {
namespace {

constexpr std::int64_t kPanel = 64;  // columns that a factorisation finishes at once

// A = U^T U of a small block, in doubles. False when a pivot is not positive.
bool cholesky_block(MatrixView<float> a) {
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t j = i; j < a.cols; ++j) {
      double sum = a.row_data(i)[j];
      for (std::int64_t k = 0; k < i; ++k)
        sum -= static_cast<double>(a.row_data(k)[i]) * static_cast<double>(a.row_data(k)[j]);
      if (j == i) {
        if (!(sum > 0) || !std::isfinite(sum)) return false;
        a.row_data(i)[i] = static_cast<float>(std::sqrt(sum));
      } else {
        a.row_data(i)[j] = static_cast<float>(sum / static_cast<double>(a.row_data(i)[i]));
      }
    }
    for (std::int64_t j = 0; j < i; ++j) a.row_data(i)[j] = 0.0f;
  }
  return true;
}

// rest (k, n) := U^-T rest for the factor u (k, k): the panel to the right of a finished block.
void solve_panel(Runtime& runtime, MatrixView<const float> u, MatrixView<float> rest) {
  runtime.parallel(rest.cols, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < u.rows; ++i) {
      float* to = rest.row_data(i);
      for (std::int64_t k = 0; k < i; ++k) {
        const float factor = u.row_data(k)[i];
        const float* from = rest.row_data(k);
        for (std::int64_t j = begin; j < end; ++j) to[j] -= factor * from[j];
      }
      const float inverse = 1.0f / u.row_data(i)[i];
      for (std::int64_t j = begin; j < end; ++j) to[j] *= inverse;
    }
  });
}

void invert_block(MatrixView<float> u) {
  for (std::int64_t j = 0; j < u.cols; ++j) {
    const double pivot = 1.0 / static_cast<double>(u.row_data(j)[j]);
    for (std::int64_t i = 0; i < j; ++i) {  // row i of the inverse is done up to column j - 1
      double sum = 0;
      for (std::int64_t k = i; k < j; ++k)
        sum += static_cast<double>(u.row_data(i)[k]) * static_cast<double>(u.row_data(k)[j]);
      u.row_data(i)[j] = static_cast<float>(-sum * pivot);
    }
    u.row_data(j)[j] = static_cast<float>(pivot);
  }
}

void fill(MatrixView<float> m, float value) {
  for (std::int64_t r = 0; r < m.rows; ++r) std::fill_n(m.row_data(r), m.cols, value);
}
void copy(MatrixView<const float> from, MatrixView<float> to) {
  for (std::int64_t r = 0; r < from.rows; ++r)
    std::copy_n(from.row_data(r), from.cols, to.row_data(r));
}

}  // namespace

void transpose(Runtime& runtime, MatrixView<const float> from, MatrixView<float> to) {
  assert(from.rows == to.cols && from.cols == to.rows);
  constexpr std::int64_t kSide = 16;  // one cache line of either matrix
  // rows and cols: constants of the type for a whole tile, whose loops the compiler then unrolls.
  const auto turn = [&](std::int64_t row, std::int64_t col, auto rows, auto cols, auto& tile) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < cols; ++c) tile[c][r] = from.row_data(row + r)[col + c];
    for (std::int64_t c = 0; c < cols; ++c) std::copy_n(tile[c], rows, to.row_data(col + c) + row);
  };
  constexpr std::integral_constant<std::int64_t, kSide> kWhole;
  runtime.parallel(from.cols, kSide, [&](std::int64_t begin, std::int64_t end) {
    float tile[kSide][kSide];
    for (std::int64_t col = begin; col < end; col += kSide)
      for (std::int64_t row = 0; row < from.rows; row += kSide) {
        const std::int64_t cols = std::min(kSide, end - col);
        const std::int64_t rows = std::min(kSide, from.rows - row);
        if (rows == kSide && cols == kSide)
          turn(row, col, kWhole, kWhole, tile);
        else
          turn(row, col, rows, cols, tile);
      }
  });
}

bool cholesky(Runtime& runtime, MatrixView<float> a) {
  assert(a.rows == a.cols);
  for (std::int64_t first = 0; first < a.rows; first += kPanel) {
    const std::int64_t size = std::min(kPanel, a.rows - first), rest = a.rows - first - size;
    const auto block = a.rows_from(first, size).cols_from(first, size);
    if (!cholesky_block(block)) return false;
    for (std::int64_t r = first; r < first + size; ++r) std::fill_n(a.row_data(r), first, 0.0f);
    if (rest == 0) break;
    const auto panel = a.rows_from(first, size).cols_from(first + size, rest);
    solve_panel(runtime, block, panel);
    add_turned_product(runtime, panel, panel,
                       a.rows_from(first + size, rest).cols_from(first + size, rest), -1.0f,
                       Triangle::kUpper);
  }
  return true;
}

// Column panel by column panel: with V the inverse of what lies to the left, the panel X above its
// own block B becomes -V X B^-1.
void invert_triangle(Runtime& runtime, MatrixView<float> u) {
  assert(u.rows == u.cols);
  Matrix<float> above, product;
  for (std::int64_t first = 0; first < u.rows; first += kPanel) {
    const std::int64_t size = std::min(kPanel, u.rows - first);
    const auto block = u.rows_from(first, size).cols_from(first, size);
    invert_block(block);
    if (first == 0) continue;
    const auto panel = u.rows_from(0, first).cols_from(first, size);
    copy(panel, above.resize(first, size));
    fill(product.resize(first, size), 0.0f);
    add_product(runtime, u.rows_from(0, first).cols_from(0, first), above.view(), product.view());
    fill(panel, 0.0f);
    add_product(runtime, product.view(), block, panel, -1.0f);
  }
}

}  // namespace farthing::kernels
