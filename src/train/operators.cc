#include "train/operators.h"

#include <algorithm>

#include "kernels/dense/dense.h"
#include "kernels/gradients/gradients.h"

namespace farthing::train {
namespace {

std::span<const float> numbers(const Parameter* vector) {
  if (vector == nullptr) return {};
  return {vector->value.view().data, static_cast<std::size_t>(vector->size())};
}
std::span<float> gradient_of(Parameter& vector) {
  return {vector.gradient.view().data, static_cast<std::size_t>(vector.size())};
}

void start_rows(Runtime& runtime, MatrixView<const float> bias, MatrixView<float> y) {
  runtime.parallel(y.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) std::copy_n(bias.data, y.cols, y.row_data(begin));
  });
}

}  // namespace

void linear(Runtime& runtime, Workspace& work, const LinearWeights& weights,
            MatrixView<const float> x, MatrixView<float> y) {
  std::int64_t first = 0;
  for (const LinearWeights::Part& part : weights.parts) {
    const auto w = std::as_const(part.weight->value).view();
    const auto to = y.cols_from(first, w.rows);
    const auto turned = work.turned.resize(w.cols, w.rows);
    kernels::transpose(runtime, w, turned);
    if (part.bias == nullptr) {
      kernels::set_product(runtime, x, turned, to);
    } else {
      start_rows(runtime, part.bias->value.view(), to);
      kernels::add_product(runtime, x, turned, to);
    }
    first += w.rows;
  }
}

void weight_gradient(Runtime& runtime, Parameter& weight, MatrixView<const float> x,
                     MatrixView<const float> dy) {
  if (!weight.trains()) return;
  kernels::add_turned_product(runtime, dy, x, weight.gradient.view());
}

void linear_gradient(Runtime& runtime, const LinearWeights& weights, MatrixView<const float> x,
                     MatrixView<const float> dy, MatrixView<float> dx, bool add) {
  std::int64_t first = 0;
  for (const LinearWeights::Part& part : weights.parts) {
    const auto w = std::as_const(part.weight->value).view();
    const auto own = dy.cols_from(first, w.rows);
    if (first == 0 && !add)
      kernels::set_product(runtime, own, w, dx);
    else
      kernels::add_product(runtime, own, w, dx);
    weight_gradient(runtime, *part.weight, x, own);
    if (part.bias != nullptr && part.bias->trains())
      kernels::add_column_sums(runtime, own, gradient_of(*part.bias));
    first += w.rows;
  }
}

std::span<const float> NormOperator::weight_of(Workspace& work, const NormWeights& norm) const {
  if (norm.weight == nullptr || !plus_one_) return numbers(norm.weight);
  const auto stored = numbers(norm.weight);
  work.weight.assign(stored.begin(), stored.end());
  for (float& w : work.weight) w += 1.0f;
  return work.weight;
}

void NormOperator::forward(Runtime& runtime, Workspace& work, const NormWeights& norm,
                           MatrixView<const float> x, MatrixView<float> y) const {
  const auto weight = weight_of(work, norm);
  if (!centred_ && weight.empty()) {
    work.weight.assign(static_cast<std::size_t>(x.cols), 1.0f);
    kernels::rms_norm(runtime, x, work.weight, epsilon_, y);
  } else if (!centred_) {
    kernels::rms_norm(runtime, x, weight, epsilon_, y);
  } else {
    kernels::layer_norm(runtime, x, weight, numbers(norm.bias), epsilon_, y);
  }
}

void NormOperator::add_weight_gradient(Runtime& runtime, const NormWeights& norm,
                                       MatrixView<const float> parts) const {
  if (norm.weight == nullptr || !norm.weight->trains()) return;
  const std::int64_t width = norm.weight->size();  // one row of weights for every head, or for all
  for (std::int64_t at = 0; at < parts.cols; at += width)
    kernels::add_column_sums(runtime, parts.cols_from(at, width), gradient_of(*norm.weight));
}

void NormOperator::backward(Runtime& runtime, Workspace& work, const NormWeights& norm,
                            MatrixView<const float> x, MatrixView<float> dy) const {
  if (norm.bias != nullptr && norm.bias->trains())
    kernels::add_column_sums(runtime, dy, gradient_of(*norm.bias));
  const auto parts = work.parts.resize(x.rows, x.cols);
  kernels::norm_gradient(runtime, x, weight_of(work, norm), epsilon_, centred_, dy, parts);
  add_weight_gradient(runtime, norm, parts);
}

void NormOperator::forward_heads(Runtime& runtime, Workspace& work, const NormWeights& norm,
                                 std::int64_t width, MatrixView<float> x) const {
  kernels::norm_heads(runtime, x, width, weight_of(work, norm), epsilon_, head_centred_);
}

void NormOperator::backward_heads(Runtime& runtime, Workspace& work, const NormWeights& norm,
                                  std::int64_t width, MatrixView<const float> x,
                                  MatrixView<float> dy) const {
  const auto parts = work.parts.resize(x.rows, x.cols);
  kernels::norm_heads_gradient(runtime, x, width, weight_of(work, norm), epsilon_, head_centred_,
                               dy, parts);
  add_weight_gradient(runtime, norm, parts);
}

}  // namespace farthing::train
