#include "kernels/gradients/gradients.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/gradients/choose.h"

namespace farthing::kernels {
namespace {

constexpr std::int64_t kGrain = 4096;     // numbers that are worth waking another thread for
constexpr std::int64_t kSumColumns = 64;  // that one thread adds up

template <class Body>
void for_rows(Runtime& runtime, std::int64_t rows, std::int64_t cols, Body body) {
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, cols));
  runtime.parallel(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) body(begin);
  });
}

}  // namespace

void norm_gradient(Runtime& runtime, MatrixView<const float> x, std::span<const float> weight,
                   float epsilon, bool centred, MatrixView<float> dy,
                   MatrixView<float> weight_parts) {
  norm_heads_gradient(runtime, x, x.cols, weight, epsilon, centred, dy, weight_parts);
}

void norm_heads_gradient(Runtime& runtime, MatrixView<const float> x, std::int64_t head_dim,
                         std::span<const float> weight, float epsilon, bool centred,
                         MatrixView<float> dy, MatrixView<float> weight_parts) {
  assert(x.cols % head_dim == 0 && x.cols == dy.cols && x.cols == weight_parts.cols);
  const RowGradients& kernels = row_gradients(runtime.isas);
  const bool apart = std::ssize(weight) == x.cols;  // a row of weights for each head
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t at = 0; at < x.cols; at += head_dim)
      kernels.norm(x.row_data(r) + at, head_dim,
                   weight.empty() ? nullptr : weight.data() + (apart ? at : 0), epsilon, centred,
                   dy.row_data(r) + at, dy.row_data(r) + at, weight_parts.row_data(r) + at);
  });
}

void activate_gradient(Runtime& runtime, Activation f, MatrixView<const float> x,
                       MatrixView<const float> dy, MatrixView<float> dx) {
  const RowGradients& kernels = row_gradients(runtime.isas);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    kernels.activate(f, x.row_data(r), nullptr, dy.row_data(r), x.cols, dx.row_data(r), nullptr);
  });
}

void activate_gated_gradient(Runtime& runtime, Activation f, MatrixView<const float> x,
                             MatrixView<const float> dy, MatrixView<float> dx) {
  assert(x.cols == 2 * dy.cols && dx.cols == x.cols);
  const RowGradients& kernels = row_gradients(runtime.isas);
  const std::int64_t n = dy.cols;
  for_rows(runtime, x.rows, n, [&](std::int64_t r) {
    kernels.activate(f, x.row_data(r), x.row_data(r) + n, dy.row_data(r), n, dx.row_data(r),
                     dx.row_data(r) + n);
  });
}

void add_column_sums(Runtime& runtime, MatrixView<const float> x, std::span<float> sums) {
  assert(std::ssize(sums) == x.cols);
  const std::int64_t pieces = (x.cols + kSumColumns - 1) / kSumColumns;
  runtime.parallel(pieces, 1, [&](std::int64_t piece, std::int64_t end) {
    for (; piece < end; ++piece) {
      const std::int64_t first = piece * kSumColumns, n = std::min(kSumColumns, x.cols - first);
      double total[kSumColumns] = {};
      for (std::int64_t r = 0; r < x.rows; ++r)
        for (std::int64_t j = 0; j < n; ++j)
          total[j] += static_cast<double>(x.row_data(r)[first + j]);
      for (std::int64_t j = 0; j < n; ++j)
        sums[static_cast<std::size_t>(first + j)] += static_cast<float>(total[j]);
    }
  });
}

double softmax_row(IsaSet isas, std::span<const float> x, float factor, std::span<float> y) {
  const RowGradients& kernels = row_gradients(isas);
  const auto size = std::ssize(x);
  const float shift = factor * kernels.largest(x.data(), size);
  const double sum = kernels.exponentials(x.data(), factor, shift, size, y.data());
  const auto inverse = static_cast<float>(1 / sum);
  for (float& value : y) value *= inverse;
  return static_cast<double>(shift) + std::log(sum);
}

}  // namespace farthing::kernels
