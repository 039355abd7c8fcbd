// Products and factors of dense matrices against sums in doubles.
#include "kernels/dense/dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "core/random.h"

namespace farthing::kernels {
namespace {

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix<float> m(rows, cols);
  Random random(seed);
  for (std::int64_t r = 0; r < rows; ++r)
    for (float& x : m.view().row(r)) x = static_cast<float>(random.uniform() * 2 - 1);
  return m;
}

double element(MatrixView<const float> a, MatrixView<const float> b, std::int64_t r,
               std::int64_t c) {
  double sum = 0;
  for (std::int64_t k = 0; k < a.cols; ++k)
    sum += static_cast<double>(a.row_data(r)[k]) * static_cast<double>(b.row_data(k)[c]);
  return sum;
}

TEST(Dense, ProductOfOddShapesIsTheSumAndTheSameOnEveryInstructionSetAndThreadCount) {
  Runtime two(2), scalar(1, IsaSet{});
  for (const auto& [m, k, n] : {std::tuple{1, 1, 1}, {7, 3, 17}, {13, 257, 33}, {200, 300, 47}}) {
    const Matrix<float> a = random_matrix(m, k, 1), b = random_matrix(k, n, 2);
    Matrix<float> c = random_matrix(m, n, 3), d = random_matrix(m, n, 3),
                  start = random_matrix(m, n, 3);
    add_product(two, a.view(), b.view(), c.view(), -1.0f);
    add_product(scalar, a.view(), b.view(), d.view(), -1.0f);
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t j = 0; j < n; ++j) {
        const double expected =
            static_cast<double>(start.view().row_data(r)[j]) - element(a.view(), b.view(), r, j);
        EXPECT_NEAR(c.view().row_data(r)[j], expected, 1e-6 * k + 1e-6);
        EXPECT_EQ(c.view().row_data(r)[j], d.view().row_data(r)[j]);
      }
  }
}

TEST(Dense, UpperProductWritesTheUpperTriangle) {
  Runtime runtime(2);
  constexpr std::int64_t kSide = 450;  // of several pieces and strips
  const Matrix<float> x = random_matrix(20, kSide, 4);
  Matrix<float> turned(kSide, 20), c(kSide, kSide);
  std::memset(c.view().data, 0, kSide * kSide * sizeof(float));
  transpose(runtime, x.view(), turned.view());
  add_turned_product(runtime, x.view(), x.view(), c.view(), 1.0f, Triangle::kUpper);
  for (std::int64_t r = 0; r < kSide; ++r)
    for (std::int64_t j = r; j < kSide; ++j)
      EXPECT_NEAR(c.view().row_data(r)[j], element(turned.view(), x.view(), r, j), 1e-4);
}

TEST(Dense, ATurnedProductHasTheBitsOfTurningBeforeAndASetOneOfAddingToZeros) {
  Runtime two(2), scalar(1, IsaSet{});
  for (const auto& [m, k, n] : {std::tuple{1, 3, 5}, {29, 260, 70}, {400, 31, 520}}) {
    const Matrix<float> a = random_matrix(m, k, 6), b = random_matrix(k, n, 7);
    Matrix<float> turned(k, m), c(m, n), d = random_matrix(m, n, 8), e(m, n);
    transpose(two, a.view(), turned.view());
    for (auto* zeros : {&c, &e})
      std::memset(zeros->view().data, 0, static_cast<std::size_t>(m * n) * sizeof(float));
    add_product(scalar, a.view(), b.view(), c.view());
    set_product(two, a.view(), b.view(), d.view());
    add_turned_product(two, turned.view(), b.view(), e.view());
    for (std::int64_t i = 0; i < m * n; ++i) {
      ASSERT_EQ(c.view().data[i], d.view().data[i]) << i;
      ASSERT_EQ(c.view().data[i], e.view().data[i]) << i;
    }
  }
}

TEST(Dense, FactorTimesItselfIsTheMatrixAndItsInverseIsOne) {
  Runtime runtime(2);
  for (const std::int64_t n : {1, 5, 64, 65, 200}) {
    const Matrix<float> x = random_matrix(2 * n, n, 5);
    Matrix<float> turned(n, 2 * n), a(n, n), factor(n, n);
    transpose(runtime, x.view(), turned.view());
    for (auto* m : {&a, &factor}) {
      std::memset(m->view().data, 0, static_cast<std::size_t>(n * n) * sizeof(float));
      add_product(runtime, turned.view(), x.view(), m->view());
    }
    ASSERT_TRUE(cholesky(runtime, factor.view()));
    Matrix<float> factor_turned(n, n), inverse(n, n);
    transpose(runtime, factor.view(), factor_turned.view());
    std::memcpy(inverse.view().data, factor.view().data,
                static_cast<std::size_t>(n * n) * sizeof(float));
    invert_triangle(runtime, inverse.view());
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < n; ++c) {
        EXPECT_NEAR(element(factor_turned.view(), factor.view(), r, c), a.view().row_data(r)[c],
                    1e-4 * static_cast<double>(n));
        EXPECT_NEAR(element(inverse.view(), factor.view(), r, c), r == c ? 1.0 : 0.0, 1e-3);
        if (r > c) {
          EXPECT_EQ(factor.view().row_data(r)[c], 0.0f);
        }
      }
  }
}

struct Rounded {
  Matrix<float> weights, errors, before;
};

// 40 inputs of `rows` rows in groups of 8, some weights taken out, in the rows of vectors.
struct RoundCase {
  static constexpr std::int64_t kInputs = 40, kGroup = 8;
  std::int64_t rows, width;
  Matrix<float> weights, factor, pull, scales, offsets, kept;
  std::vector<std::int32_t> groups;

  explicit RoundCase(std::int64_t count)
      : rows(count),
        width((count + 15) / 16 * 16),
        weights(random_matrix(kInputs, width, 6)),
        factor(random_matrix(kInputs, kInputs, 7)),
        pull(random_matrix(kInputs, kInputs, 8)),
        scales(random_matrix(kInputs / kGroup, width, 9)),
        offsets(random_matrix(kInputs / kGroup, width, 10)),
        kept(random_matrix(kInputs, width, 11)) {
    for (std::int64_t i = 0; i < kInputs; ++i) {
      groups.push_back(static_cast<std::int32_t>(i * 3 % (kInputs / kGroup)));
      factor.view().row_data(i)[i] = 1.5f + 0.01f * static_cast<float>(i);
      for (std::int64_t j = 0; j < i; ++j) factor.view().row_data(i)[j] *= 0.1f;
      for (float& k : kept.view().row(i)) k = k < 0.8f ? 1.0f : 0.0f;
    }
    for (std::int64_t g = 0; g < kInputs / kGroup; ++g)
      for (float& scale : scales.view().row(g)) scale = 0.2f + 0.1f * std::abs(scale);
    scales.view().row_data(0)[0] = 0;  // a group that is its offset
  }

  Rounded run(IsaSet isas, bool grid, bool mask, bool pulls) const {
    Rounded out{Matrix<float>(kInputs, width), Matrix<float>(kInputs, width),
                Matrix<float>(kInputs, width)};
    std::copy_n(weights.view().data, kInputs * width, out.weights.view().data);
    round_rows_here(isas, {.weights = out.weights.view().data,
                           .stride = width,
                           .inputs = kInputs,
                           .rows = width,
                           .factor = factor.view().data,
                           .pull = pulls ? pull.view().data : nullptr,
                           .factor_stride = kInputs,
                           .scales = grid ? scales.view().data : nullptr,
                           .offsets = offsets.view().data,
                           .groups = groups.data(),
                           .bias = 8,
                           .bottom = 0,
                           .top = 15,
                           .kept = mask ? kept.view().data : nullptr,
                           .errors = out.errors.view().data,
                           .before = pulls ? out.before.view().data : nullptr});
    return out;
  }
};

TEST(Dense, RoundsInputByInputAsThePlainLoopAndTheSameOnEveryInstructionSet) {
  for (const std::int64_t count : {1, 16, 47, 64, 100})
    for (const auto& [grid, mask, pulls] :
         {std::tuple{true, false, false}, {true, true, true}, {false, true, false}}) {
      const RoundCase c(count);
      const Rounded made = c.run(IsaSet{}, grid, mask, pulls);
      const Rounded best = c.run(isas_here(), grid, mask, pulls);
      for (std::int64_t r = 0; r < count; ++r) {
        std::vector<float> errors, before;  // of this row so far
        for (std::int64_t i = 0; i < RoundCase::kInputs; ++i) {
          const auto at = [&](const Matrix<float>& m) { return m.view().row_data(i)[r]; };
          float w = at(c.weights);
          for (std::size_t k = 0; k < errors.size(); ++k) {
            w = std::fma(-errors[k], c.factor.view().row_data(i)[k], w);
            if (pulls) w = std::fma(before[k], c.pull.view().row_data(i)[k], w);
          }
          const float x = mask && at(c.kept) == 0 ? 0.0f : w;
          float code = x, value = x;
          if (grid) {
            const std::int64_t g = c.groups[static_cast<std::size_t>(i)];
            const float scale = c.scales.view().row_data(g)[r];
            const float offset = c.offsets.view().row_data(g)[r];
            code = scale == 0 ? 8.0f
                              : std::clamp(std::nearbyint((x - offset) / scale) + 8, 0.0f, 15.0f);
            value = scale * (code - 8) + offset;
          }
          errors.push_back((w - value) / c.factor.view().row_data(i)[i]);
          before.push_back(w);
          ASSERT_EQ(at(made.weights), code) << count << " rows, row " << r << ", input " << i;
          ASSERT_EQ(at(made.errors), errors.back());
          ASSERT_EQ(at(best.weights), code);
          ASSERT_EQ(at(best.errors), errors.back());
        }
      }
    }
}

TEST(Dense, AMatrixThatIsNotPositiveHasNoFactor) {
  Runtime runtime(1);
  Matrix<float> a(2, 2);
  float values[] = {1, 2, 2, 1};
  std::copy_n(values, 4, a.view().data);
  EXPECT_FALSE(cholesky(runtime, a.view()));
  float nan[] = {NAN, 0, 0, 1};
  std::copy_n(nan, 4, a.view().data);
  EXPECT_FALSE(cholesky(runtime, a.view()));
}

}  // namespace
}  // namespace farthing::kernels
