// Weighted means over tokens, against the plain sums in doubles.
#include "calibrate/statistics.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace farthing::calibrate {
namespace {

constexpr std::int64_t kInputs = 7, kTokens = 600;  // more than two pieces

Matrix<float> random_rows(std::uint64_t seed) {
  Matrix<float> x(kTokens, kInputs);
  Random random(seed);
  for (std::int64_t t = 0; t < kTokens; ++t)
    for (float& value : x.view().row(t)) value = static_cast<float>(random.uniform() - 0.4);
  return x;
}

TEST(Accumulator, CountsTheFirstTokensOfSamplesByTheirWeight) {
  const Matrix<float> x = random_rows(1), reference = random_rows(2);
  const std::vector<std::int64_t> firsts = {0, 255, 256, 599};  // at the edges of pieces, too
  for (const double weight : {0.0, 1.0, 9.0}) {
    Runtime runtime(2);
    Accumulator sums(kInputs, kMoments | kHessian | kDrift, kTokens, weight);
    sums.add(runtime, x.view(), reference.view(), firsts);
    const LinearStatistics s = sums.finish(runtime);
    const double all = kTokens + (weight - 1) * 4;
    for (std::int64_t i = 0; i < kInputs; ++i) {
      double magnitude = 0;
      for (std::int64_t t = 0; t < kTokens; ++t)
        magnitude += std::abs(double(x.view().row_data(t)[i]));
      EXPECT_NEAR(s.mean_magnitude[static_cast<std::size_t>(i)], magnitude / kTokens, 1e-6);
      for (std::int64_t j = 0; j < kInputs; ++j) {
        double hessian = 0, drift = 0;
        for (std::int64_t t = 0; t < kTokens; ++t) {
          const float* row = x.view().row_data(t);
          const double w = std::ranges::count(firsts, t) > 0 ? weight : 1.0;
          hessian += w * row[i] * row[j];
          drift += w * (double(reference.view().row_data(t)[i]) - row[i]) * row[j];
        }
        EXPECT_NEAR(s.hessian.view().row_data(i)[j], hessian / all, 1e-6);
        EXPECT_NEAR(s.drift.view().row_data(i)[j], drift / all, 1e-6);
        if (i == j) {
          EXPECT_NEAR(s.square[static_cast<std::size_t>(i)], hessian / all, 1e-6);
        }
      }
    }
  }
}

TEST(Accumulator, OfFirstTokensAloneThatCountNothingHasZeros) {
  const Matrix<float> x = random_rows(4);
  Runtime runtime(1);
  Accumulator sums(kInputs, kMoments | kHessian, 1, 0);
  sums.add(runtime, x.view().rows_from(0, 1), {}, std::vector<std::int64_t>{0});
  const LinearStatistics s = sums.finish(runtime);
  for (std::int64_t i = 0; i < kInputs; ++i) {
    EXPECT_EQ(s.square[static_cast<std::size_t>(i)], 0);
    EXPECT_EQ(s.hessian.view().row_data(i)[i], 0);
  }
}

TEST(Accumulator, GivesTheSameBitsInOneCallAndInPieces) {
  const Matrix<float> x = random_rows(3);
  const auto collect = [&](std::int64_t piece) {
    Runtime runtime(piece == kTokens ? 1 : 3);
    Accumulator sums(kInputs, kMoments | kHessian, kTokens, 9);
    for (std::int64_t first = 0; first < kTokens; first += piece) {
      const std::int64_t rows = std::min(piece, kTokens - first);
      std::vector<std::int64_t> here;  // a sample begins every 256 tokens
      for (std::int64_t t = 0; t < rows; t += 256) here.push_back(t);
      sums.add(runtime, x.view().rows_from(first, rows), {}, here);
    }
    const LinearStatistics s = sums.finish(runtime);
    return std::vector<float>(s.hessian.view().data, s.hessian.view().data + kInputs * kInputs);
  };
  EXPECT_EQ(collect(kTokens), collect(Accumulator::kPiece));
}

}  // namespace
}  // namespace farthing::calibrate
