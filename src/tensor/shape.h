#pragma once

#include <cstdint>

namespace farthing {

// (rows, cols) of a matrix; of a linear layer's weight: (out_features, in_features).
struct Shape {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t size() const { return rows * cols; }
  bool operator==(const Shape&) const = default;
};

}  // namespace farthing
