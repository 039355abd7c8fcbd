// The backward kernels against derivatives taken numerically, in doubles, of plain definitions.
#include "kernels/gradients/gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/random.h"
#include "kernels/gradients/attention_gradient.h"

namespace farthing::kernels {
namespace {

std::vector<IsaSet> all_isas() {
  std::vector<IsaSet> sets = {choose_isas("scalar", isas_here())};
  for (const char* name : {"avx2", "avx512"}) try {
      sets.push_back(choose_isas(name, isas_here()));
    } catch (const Error&) {  // this machine lacks it
    }
  return sets;
}

std::vector<float> bell(std::int64_t count, std::uint64_t seed, double spread) {
  Random random(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<float>(
        spread * (random.uniform() + random.uniform() + random.uniform() - 1.5)));
  return values;
}

double function(Activation f, double x) {
  const auto sigmoid = [](double y) { return 1 / (1 + std::exp(-y)); };
  switch (f) {
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kGelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x * sigmoid(1.702 * x);
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kRelu2:
      return std::pow(std::max(x, 0.0), 2);
  }
  return 0;
}
double slope(const std::function<double(double)>& f, double x) {
  constexpr double kStep = 1e-5;
  return (f(x + kStep) - f(x - kStep)) / (2 * kStep);
}

TEST(ActivationGradients, AreTheSlopesOfTheFunctions) {
  for (const IsaSet isas : all_isas()) {
    Runtime runtime(1, isas);
    for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh,
                               Activation::kQuickGelu, Activation::kRelu, Activation::kRelu2})
      for (const std::int64_t n : {1, 15, 16, 37}) {
        const auto x = bell(2 * n, 3, 5), dy = bell(n, 4, 1);
        std::vector<float> dx(static_cast<std::size_t>(2 * n)), plain(static_cast<std::size_t>(n));
        activate_gated_gradient(runtime, f, {x.data(), 1, 2 * n}, {dy.data(), 1, n},
                                {dx.data(), 1, 2 * n});
        activate_gradient(runtime, f, {x.data(), 1, n}, {dy.data(), 1, n}, {plain.data(), 1, n});
        for (std::int64_t i = 0; i < n; ++i) {
          const auto at = static_cast<std::size_t>(i), up = static_cast<std::size_t>(n + i);
          const double d = slope([&](double v) { return function(f, v); }, x[at]);
          EXPECT_NEAR(plain[at], dy[at] * d, 2e-6) << n;
          EXPECT_NEAR(dx[at], dy[at] * static_cast<double>(x[up]) * d, 5e-6) << n;
          EXPECT_NEAR(dx[up], dy[at] * function(f, x[at]), 5e-6) << n;
        }
      }
  }
}

// sum of dy * norm(x), as a function of x.
double norm_sum(std::span<const double> x, std::span<const float> w, std::span<const float> dy,
                bool centred) {
  double mean = 0, square = 0, sum = 0;
  if (centred)
    for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) square += (v - mean) * (v - mean) / static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    sum += dy[i] * (w.empty() ? 1.0 : static_cast<double>(w[i])) * (x[i] - mean) /
           std::sqrt(square + 1e-3);
  return sum;
}

TEST(NormGradients, AreTheSlopesOfTheNorms) {
  for (const IsaSet isas : all_isas()) {
    Runtime runtime(1, isas);
    for (const bool centred : {false, true})
      for (const bool weighted : {false, true})
        for (const std::int64_t n : {2, 16, 37}) {
          const auto x = bell(n, 5, 2), dy = bell(n, 6, 1), all = bell(n, 7, 1);
          const std::vector<float> w = weighted ? all : std::vector<float>{};
          std::vector<float> dx = dy, parts(dy.size());
          norm_gradient(runtime, {x.data(), 1, n}, w, 1e-3f, centred, {dx.data(), 1, n},
                        {parts.data(), 1, n});
          std::vector<double> at(x.begin(), x.end());
          for (std::size_t i = 0; i < dx.size(); ++i) {
            const auto along = [&](double v) {
              auto moved = at;
              moved[i] = v;
              return norm_sum(moved, w, dy, centred);
            };
            EXPECT_NEAR(dx[i], slope(along, x[i]), 1e-5) << n << " " << centred;
          }
          double sum = 0;
          for (std::size_t i = 0; i < dx.size(); ++i)
            sum += static_cast<double>(parts[i]) * (weighted ? static_cast<double>(w[i]) : 1.0);
          EXPECT_NEAR(sum, norm_sum(at, w, dy, centred), 1e-5);
        }
  }
}

TEST(ColumnSums, AreThoseOfTheColumns) {
  Runtime runtime(2);
  const auto x = bell(7 * 131, 8, 1);
  std::vector<float> sums(131, 1.0f);
  add_column_sums(runtime, {x.data(), 7, 131}, sums);
  for (std::size_t c = 0; c < sums.size(); ++c) {
    double sum = 1;
    for (std::size_t r = 0; r < 7; ++r) sum += x[r * 131 + c];
    EXPECT_NEAR(sums[c], sum, 1e-6);
  }
}

TEST(SoftmaxRow, HoldsForLargeNumbersAndTails) {
  for (const IsaSet isas : all_isas())
    for (const std::int64_t n : {1, 16, 33}) {
      auto x = bell(n, 9, 30);
      x[0] = 300;
      std::vector<float> y(x.size());
      const double log_sum = softmax_row(isas, x, 0.5f, y);
      double sum = 0, all = 0;
      for (const float v : x) sum += std::exp(0.5 * (static_cast<double>(v) - 300));
      for (const float v : y) all += static_cast<double>(v);
      EXPECT_NEAR(log_sum, 150 + std::log(sum), 1e-5);
      EXPECT_NEAR(all, 1, 1e-6);
    }
}

TEST(GradientKernels, GiveTheSameBitsOnEveryInstructionSet) {
  const auto run = [](IsaSet isas) {
    Runtime runtime(1, isas);
    constexpr std::int64_t kRows = 70, kWidth = (4 + 2 * 2) * 12;
    const auto qkv = bell(kRows * kWidth, 10, 2), dout = bell(kRows * 48, 11, 1);
    std::vector<float> dqkv(qkv.size());
    const std::vector<SequenceRows> sequences = {{0, 3}, {3, 67}};
    attend_causally_gradient(
        runtime, {.heads = 4, .kv_heads = 2, .head_dim = 12, .scale = 0.3f, .window = 20},
        sequences, {qkv.data(), kRows, kWidth}, {dout.data(), kRows, 48},
        {dqkv.data(), kRows, kWidth});
    return dqkv;
  };
  const auto expected = run(all_isas().front());
  for (const IsaSet isas : all_isas()) EXPECT_EQ(run(isas), expected);
}

}  // namespace
}  // namespace farthing::kernels
