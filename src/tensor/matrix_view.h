// MatrixView borrows numbers: row-major, rows `stride` elements apart.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "core/memory.h"
#include "tensor/shape.h"

namespace farthing {

template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  MatrixView() = default;
  MatrixView(T* first, std::int64_t row_count, std::int64_t col_count)
      : MatrixView(first, row_count, col_count, col_count) {}
  MatrixView(T* first, std::int64_t row_count, std::int64_t col_count, std::int64_t row_stride)
      : data(first), rows(row_count), cols(col_count), stride(row_stride) {}
  // A view of numbers is a view of const numbers.
  template <class U>
    requires(std::is_same_v<const U, T>)
  MatrixView(const MatrixView<U>& other)
      : MatrixView(other.data, other.rows, other.cols, other.stride) {}

  std::span<T> row(std::int64_t r) const {
    return {data + r * stride, static_cast<std::size_t>(cols)};
  }
  T* row_data(std::int64_t r) const { return data + r * stride; }
  MatrixView rows_from(std::int64_t first, std::int64_t count) const {
    return {data + first * stride, count, cols, stride};
  }
  MatrixView cols_from(std::int64_t first, std::int64_t count) const {
    return {data + first, rows, count, stride};
  }
};

// A matrix that owns its numbers; resize() keeps nothing.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::int64_t rows, std::int64_t cols) { resize(rows, cols); }
  MatrixView<T> resize(std::int64_t rows, std::int64_t cols) {
    numbers_.reserve_scratch(static_cast<std::size_t>(rows * cols));
    shape_ = {rows, cols};
    return view();
  }
  MatrixView<T> view() { return {numbers_.data(), shape_.rows, shape_.cols}; }
  MatrixView<const T> view() const { return {numbers_.data(), shape_.rows, shape_.cols}; }
  Shape shape() const { return shape_; }

 private:
  AlignedArray<T> numbers_;
  Shape shape_;
};

}  // namespace farthing
