// Products and factors of dense matrices against sums in doubles.
#include "kernels/dense/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

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
  const Matrix<float> x = random_matrix(70, 50, 4);
  Matrix<float> turned(50, 70), c(50, 50);
  std::memset(c.view().data, 0, 50 * 50 * sizeof(float));
  transpose(runtime, x.view(), turned.view());
  add_product(runtime, turned.view(), x.view(), c.view(), 1.0f, Triangle::kUpper);
  for (std::int64_t r = 0; r < 50; ++r)
    for (std::int64_t j = r; j < 50; ++j)
      EXPECT_NEAR(c.view().row_data(r)[j], element(turned.view(), x.view(), r, j), 1e-4);
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
