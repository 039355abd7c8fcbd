#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <cassert>

#include "kernels/elementwise/row_kernels.h"

namespace farthing::kernels {
namespace {

// Numbers that are worth waking another thread for.
constexpr std::int64_t kGrain = 4096;
constexpr std::int64_t kPiece = 4096;  // whole vectors

template <class Body>
void for_rows(Runtime& runtime, std::int64_t rows, std::int64_t cols, Body body) {
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, cols));
  runtime.parallel(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) body(begin);
  });
}

// body(row, first column, columns), a row in pieces so that one long row uses all threads.
template <class Body>
void for_pieces(Runtime& runtime, std::int64_t rows, std::int64_t cols, Body body) {
  const std::int64_t pieces = (cols + kPiece - 1) / kPiece;
  const std::int64_t grain =
      std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, std::min(cols, kPiece)));
  runtime.parallel(rows * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      const std::int64_t first = begin % pieces * kPiece;
      body(begin / pieces, first, std::min(kPiece, cols - first));
    }
  });
}

// Best first.
struct RowKernelsOf {
  Isa isa;
  const RowKernels* kernels;
};
constexpr RowKernelsOf kTable[] = {
#if defined(__x86_64__)
    {Isa::kAvx512, &kRowKernelsAvx512},
    {Isa::kAvx2, &kRowKernelsAvx2},
#elif defined(__aarch64__)
    {Isa::kNeon, &kRowKernelsNeon},
#endif
    {Isa::kScalar, &kRowKernelsScalar},
};
const RowKernels& kernels_for(const Runtime& runtime) {
  for (const auto& row : kTable)
    if (runtime.isas.has(row.isa)) return *row.kernels;
  return kRowKernelsScalar;
}

const float* data_or_null(std::span<const float> numbers, std::int64_t size) {
  assert(numbers.empty() || static_cast<std::int64_t>(numbers.size()) == size);
  static_cast<void>(size);
  return numbers.empty() ? nullptr : numbers.data();
}

}  // namespace

void rms_norm(Runtime& runtime, MatrixView<const float> x, std::span<const float> weight,
              float epsilon, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const auto norm = kernels_for(runtime).norm;
  const float* w = data_or_null(weight, x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    norm(x.row_data(r), x.cols, w, nullptr, epsilon, false, y.row_data(r));
  });
}

void layer_norm(Runtime& runtime, MatrixView<const float> x, std::span<const float> weight,
                std::span<const float> bias, float epsilon, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const auto norm = kernels_for(runtime).norm;
  const float *w = data_or_null(weight, x.cols), *b = data_or_null(bias, x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    norm(x.row_data(r), x.cols, w, b, epsilon, true, y.row_data(r));
  });
}

void norm_heads(Runtime& runtime, MatrixView<float> x, std::int64_t head_dim,
                std::span<const float> weight, float epsilon, bool centred) {
  assert(x.cols % head_dim == 0);
  const auto norm = kernels_for(runtime).norm;
  const bool shared = static_cast<std::int64_t>(weight.size()) == head_dim;
  const float* w = data_or_null(weight, shared ? head_dim : x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.cols; i += head_dim)
      norm(x.row_data(r) + i, head_dim, shared || w == nullptr ? w : w + i, nullptr, epsilon,
           centred, x.row_data(r) + i);
  });
}

void rotate(Runtime& runtime, MatrixView<float> x, std::int64_t head_dim, std::int64_t rotary_dim,
            bool interleaved, MatrixView<const float> table) {
  assert(x.cols % head_dim == 0 && rotary_dim <= head_dim && rotary_dim % 2 == 0);
  assert(table.rows == x.rows && table.cols == rotary_dim);
  const auto rotate_head = kernels_for(runtime).rotate;
  const std::int64_t half = rotary_dim / 2;
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.cols; i += head_dim)
      rotate_head(x.row_data(r) + i, table.row_data(r), table.row_data(r) + half, half,
                  interleaved);
  });
}

void activate(Runtime& runtime, Activation f, MatrixView<const float> x, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const auto kernel = kernels_for(runtime).activate;
  for_pieces(runtime, x.rows, x.cols, [&](std::int64_t r, std::int64_t c, std::int64_t size) {
    kernel(f, x.row_data(r) + c, nullptr, size, y.row_data(r) + c);
  });
}

void activate_gated(Runtime& runtime, Activation f, MatrixView<const float> x,
                    MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == 2 * y.cols);
  const auto kernel = kernels_for(runtime).activate;
  for_pieces(runtime, y.rows, y.cols, [&](std::int64_t r, std::int64_t c, std::int64_t size) {
    const float* gate = x.row_data(r) + c;
    kernel(f, gate, gate + y.cols, size, y.row_data(r) + c);
  });
}

void add_to(Runtime& runtime, MatrixView<const float> x, float scale, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const auto add = kernels_for(runtime).add;
  for_pieces(runtime, x.rows, x.cols, [&](std::int64_t r, std::int64_t c, std::int64_t size) {
    add(x.row_data(r) + c, scale, size, y.row_data(r) + c);
  });
}

void scale_by(Runtime& runtime, float factor, MatrixView<float> x) {
  const auto scale = kernels_for(runtime).scale;
  for_pieces(runtime, x.rows, x.cols, [&](std::int64_t r, std::int64_t c, std::int64_t size) {
    scale(factor, size, x.row_data(r) + c);
  });
}

void soft_cap(Runtime& runtime, float cap, MatrixView<float> x) {
  const auto kernel = kernels_for(runtime).soft_cap;
  for_pieces(runtime, x.rows, x.cols, [&](std::int64_t r, std::int64_t c, std::int64_t size) {
    kernel(cap, size, x.row_data(r) + c);
  });
}

}  // namespace farthing::kernels
