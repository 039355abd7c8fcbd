#include "kernels/elementwise/elementwise.h"

#include <cassert>
#include <cmath>

namespace farthing::kernels {
namespace {

// Numbers that are worth waking another thread for.
constexpr std::int64_t kGrain = 4096;

template <class Body>
void for_rows(Runtime& runtime, std::int64_t rows, std::int64_t cols, Body body) {
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, cols));
  runtime.parallel(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) body(begin);
  });
}

void normalise(const float* x, std::int64_t size, const float* weight, const float* bias,
               float epsilon, bool centred, float* y) {
  double mean = 0, squares = 0;
  if (centred) {
    for (std::int64_t i = 0; i < size; ++i) mean += x[i];
    mean /= static_cast<double>(size);
  }
  for (std::int64_t i = 0; i < size; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double inverse =
      1.0 / std::sqrt(squares / static_cast<double>(size) + static_cast<double>(epsilon));
  for (std::int64_t i = 0; i < size; ++i) {
    float out = static_cast<float>((x[i] - mean) * inverse);
    if (weight != nullptr) out *= weight[i];
    if (bias != nullptr) out += bias[i];
    y[i] = out;
  }
}

const float* data_or_null(std::span<const float> numbers, std::int64_t size) {
  assert(numbers.empty() || static_cast<std::int64_t>(numbers.size()) == size);
  static_cast<void>(size);
  return numbers.empty() ? nullptr : numbers.data();
}

double apply_exactly(Activation f, double x) {
  switch (f) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x * 0.70710678118654752);
    case Activation::kGeluTanh:
      return x / (1 + std::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kRelu2:
      return x > 0 ? x * x : 0;
  }
  return x;
}
float apply(Activation f, float x) {
  return static_cast<float>(apply_exactly(f, static_cast<double>(x)));
}

}  // namespace

void rms_norm(Runtime& runtime, MatrixView<const float> x, std::span<const float> weight,
              float epsilon, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const float* w = data_or_null(weight, x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    normalise(x.row_data(r), x.cols, w, nullptr, epsilon, false, y.row_data(r));
  });
}

void layer_norm(Runtime& runtime, MatrixView<const float> x, std::span<const float> weight,
                std::span<const float> bias, float epsilon, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  const float *w = data_or_null(weight, x.cols), *b = data_or_null(bias, x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    normalise(x.row_data(r), x.cols, w, b, epsilon, true, y.row_data(r));
  });
}

void norm_heads(Runtime& runtime, MatrixView<float> x, std::int64_t head_dim,
                std::span<const float> weight, float epsilon, bool centred) {
  assert(x.cols % head_dim == 0);
  const bool shared = static_cast<std::int64_t>(weight.size()) == head_dim;
  const float* w = data_or_null(weight, shared ? head_dim : x.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.cols; i += head_dim)
      normalise(x.row_data(r) + i, head_dim, shared || w == nullptr ? w : w + i, nullptr, epsilon,
                centred, x.row_data(r) + i);
  });
}

void rotate(Runtime& runtime, MatrixView<float> x, std::int64_t head_dim, std::int64_t rotary_dim,
            bool interleaved, MatrixView<const float> table) {
  assert(x.cols % head_dim == 0 && rotary_dim <= head_dim && rotary_dim % 2 == 0);
  assert(table.rows == x.rows && table.cols == rotary_dim);
  const std::int64_t half = rotary_dim / 2;
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    const float *cosines = table.row_data(r), *sines = cosines + half;
    for (std::int64_t head = 0; head < x.cols; head += head_dim) {
      float* p = x.row_data(r) + head;
      for (std::int64_t i = 0; i < half; ++i) {
        float& a = p[interleaved ? 2 * i : i];
        float& b = p[interleaved ? 2 * i + 1 : i + half];
        const float first = a * cosines[i] - b * sines[i];
        b = b * cosines[i] + a * sines[i];
        a = first;
      }
    }
  });
}

void activate(Runtime& runtime, Activation f, MatrixView<const float> x, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.cols; ++i) y.row_data(r)[i] = apply(f, x.row_data(r)[i]);
  });
}

void activate_gated(Runtime& runtime, Activation f, MatrixView<const float> x,
                    MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == 2 * y.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    const float *gate = x.row_data(r), *up = gate + y.cols;
    for (std::int64_t i = 0; i < y.cols; ++i) y.row_data(r)[i] = apply(f, gate[i]) * up[i];
  });
}

void add_to(Runtime& runtime, MatrixView<const float> x, float scale, MatrixView<float> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.cols; ++i) y.row_data(r)[i] += scale * x.row_data(r)[i];
  });
}

void scale_by(Runtime& runtime, float factor, MatrixView<float> x) {
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (float& v : x.row(r)) v *= factor;
  });
}

void soft_cap(Runtime& runtime, float cap, MatrixView<float> x) {
  for_rows(runtime, x.rows, x.cols, [&](std::int64_t r) {
    for (float& v : x.row(r)) v = cap * std::tanh(v / cap);
  });
}

}  // namespace farthing::kernels
