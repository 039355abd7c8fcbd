#include "calibrate/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "kernels/dense/dense.h"

namespace farthing::calibrate {
namespace {

void clear(MatrixView<float> m) {
  std::memset(m.data, 0, static_cast<std::size_t>(m.rows * m.cols) * sizeof(float));
}

}  // namespace

float LinearStatistics::peak(std::int64_t j) const {
  const auto i = static_cast<std::size_t>(j);
  return std::max(std::abs(least[i]), std::abs(most[i]));
}

Accumulator::Accumulator(std::int64_t inputs, unsigned wanted, std::int64_t expected,
                         double first_weight)
    : inputs_(inputs),
      expected_(expected),
      first_weight_(first_weight),
      wanted_(wanted),
      magnitude_(static_cast<std::size_t>(inputs)),
      square_(static_cast<std::size_t>(inputs)),
      least_(static_cast<std::size_t>(inputs), std::numeric_limits<float>::max()),
      most_(static_cast<std::size_t>(inputs), std::numeric_limits<float>::lowest()),
      later_peak_(static_cast<std::size_t>(inputs), 0.0f),
      stride_(std::max<std::int64_t>(1, (expected + kSampleTokens - 1) / kSampleTokens) | 1) {
  if ((wanted & kHessian) != 0) clear(hessian_.resize(inputs, inputs));
  if ((wanted & kDrift) != 0) clear(drift_.resize(inputs, inputs));
}

std::uint64_t Accumulator::bytes(std::int64_t inputs, unsigned wanted) {
  const auto n = static_cast<std::uint64_t>(inputs);
  const std::uint64_t matrices =
      ((wanted & kHessian) != 0 ? 1u : 0u) + ((wanted & kDrift) != 0 ? 1u : 0u);
  return n * n * sizeof(float) * matrices + 24 * n + 2 * kPiece * n * sizeof(float);
}

void Accumulator::add_moments(Runtime& runtime, MatrixView<const float> x,
                              std::span<const std::int64_t> first_rows) {
  runtime.parallel(inputs_, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < x.rows; ++t) {
      const float* row = x.row_data(t);
      const bool is_first = std::ranges::binary_search(first_rows, t);
      const double weight = is_first ? first_weight_ : 1.0;
      if (!is_first)
        for (std::int64_t j = begin; j < end; ++j) {
          float& peak = later_peak_[static_cast<std::size_t>(j)];
          peak = std::max(peak, std::abs(row[j]));
        }
      for (std::int64_t j = begin; j < end; ++j) {
        const auto i = static_cast<std::size_t>(j);
        const double value = row[j];
        magnitude_[i] += std::abs(value);
        square_[i] += weight * value * value;
        least_[i] = std::min(least_[i], row[j]);
        most_[i] = std::max(most_[i], row[j]);
      }
    }
  });
  for (std::int64_t j = 0; j < inputs_; ++j)
    if (!std::isfinite(square_[static_cast<std::size_t>(j)]))
      bad_input(
          "calibration gives input {} of a linear a value that is not finite; the weights or the "
          "data overflow: check the model with eval first",
          j);
}

void Accumulator::add_sample(MatrixView<const float> x, std::span<const std::int64_t> first_rows) {
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const bool is_first = std::ranges::binary_search(first_rows, t);
    const bool wanted = is_first && std::ranges::count(sample_is_first_, true) < kSampleFirst;
    if (!wanted && (tokens_ + t) % stride_ != 0) continue;
    sample_.insert(sample_.end(), x.row(t).begin(), x.row(t).end());
    sample_is_first_.push_back(is_first);
  }
}

// Hessian and drift of the rows of a piece, each counting `weight`.
void Accumulator::add_products(Runtime& runtime, MatrixView<const float> x,
                               MatrixView<const float> reference, float weight) {
  if ((wanted_ & kHessian) != 0)
    kernels::add_turned_product(runtime, x, x, hessian_.view(), weight, kernels::Triangle::kUpper);
  if ((wanted_ & kDrift) == 0) return;
  const auto difference = difference_.resize(x.rows, inputs_);
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const float* was = reference.row_data(t);
    const float* is = x.row_data(t);
    float* to = difference.row_data(t);
    for (std::int64_t j = 0; j < inputs_; ++j) to[j] = was[j] - is[j];
  }
  kernels::add_turned_product(runtime, difference, x, drift_.view(), weight);
}

void Accumulator::add(Runtime& runtime, MatrixView<const float> x,
                      MatrixView<const float> reference, std::span<const std::int64_t> first_rows) {
  assert(x.cols == inputs_);
  if ((wanted_ & kSample) != 0) add_sample(x, first_rows);
  tokens_ += x.rows;
  weights_ +=
      static_cast<double>(x.rows) + (first_weight_ - 1) * static_cast<double>(first_rows.size());
  add_moments(runtime, x, first_rows);
  if ((wanted_ & (kHessian | kDrift)) == 0) return;
  const auto part = [&](MatrixView<const float> m, std::int64_t first, std::int64_t rows) {
    return m.data == nullptr ? m : m.rows_from(first, rows);
  };
  const auto extra = static_cast<float>(first_weight_ - 1);
  auto next = first_rows.begin();
  for (std::int64_t first = 0; first < x.rows; first += kPiece) {
    const std::int64_t rows = std::min(kPiece, x.rows - first);
    add_products(runtime, x.rows_from(first, rows), part(reference, first, rows), 1.0f);
    if (extra == 0) continue;
    for (; next != first_rows.end() && *next < first + rows; ++next)  // few: one row at a time
      add_products(runtime, x.rows_from(*next, 1), part(reference, *next, 1), extra);
  }
}

LinearStatistics Accumulator::finish(Runtime& runtime) {
  LinearStatistics s;
  s.tokens = tokens_;
  if (expected_ > 0) s.share = static_cast<double>(tokens_) / static_cast<double>(expected_);
  const double each = tokens_ > 0 ? 1.0 / static_cast<double>(tokens_) : 0.0;
  // No weight: first tokens alone, and they count nothing.
  const double count = weights_ > 0 ? 1.0 / weights_ : 0.0;
  for (std::size_t i = 0; i < magnitude_.size(); ++i) {
    s.mean_magnitude.push_back(static_cast<float>(magnitude_[i] * each));
    s.square.push_back(static_cast<float>(square_[i] * count));
  }
  if (tokens_ == 0) least_.assign(least_.size(), 0), most_.assign(most_.size(), 0);
  if ((wanted_ & kSample) != 0) {
    const auto rows = static_cast<std::int64_t>(sample_.size()) / inputs_;
    std::copy(sample_.begin(), sample_.end(), s.sample.resize(rows, inputs_).data);
    s.sample_is_first = std::move(sample_is_first_);
  }
  s.least = std::move(least_);
  s.most = std::move(most_);
  s.later_peak = std::move(later_peak_);
  const auto scale = static_cast<float>(count);
  if ((wanted_ & kHessian) != 0) {
    const auto h = hessian_.view();
    runtime.parallel(inputs_, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t c = r; c < inputs_; ++c) h.row_data(r)[c] *= scale;
    });
    runtime.parallel(inputs_, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t c = 0; c < r; ++c) h.row_data(r)[c] = h.row_data(c)[r];
    });
    s.hessian = std::move(hessian_);
  }
  if ((wanted_ & kDrift) != 0) {
    const auto d = drift_.view();
    for (std::int64_t r = 0; r < inputs_; ++r)
      for (std::int64_t c = 0; c < inputs_; ++c) d.row_data(r)[c] *= scale;
    s.drift = std::move(drift_);
  }
  return s;
}

}  // namespace farthing::calibrate
