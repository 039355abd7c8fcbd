// GPTQ against the plain form of its algorithm in doubles: round an input, pass its error on by the
// inverse of the Hessian, eliminate the input (Frantar et al., 2022, equations 2 and 3).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/statistics.h"
#include "compress/step.h"
#include "core/random.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

using Doubles = std::vector<std::vector<double>>;

struct Case {
  std::int64_t rows = 5, inputs = 48, tokens = 200;
  std::string scheme = "w4g16", order = "activation";
};

PlannedUnit unit_of(const Case& c) {
  PlannedUnit unit;
  unit.unit.slot = model::Slot::kQ;
  unit.unit.layer = 0;
  unit.base = "q";
  unit.shape = {c.rows, c.inputs};
  unit.keep = false;
  unit.scheme = parse_scheme(c.scheme).weights;
  return unit;
}

// Inputs with correlations and a wide spread of energies.
Matrix<float> make_inputs(const Case& c) {
  Matrix<float> x(c.tokens, c.inputs);
  Random random(11);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    const double shared = random.uniform() - 0.5;
    for (std::int64_t j = 0; j < c.inputs; ++j)
      x.view().row_data(t)[j] = static_cast<float>((random.uniform() - 0.5 + shared) *
                                                   (j % 7 == 3 ? 8.0 : 0.5 + 0.02 * double(j)));
  }
  return x;
}

Matrix<float> make_weights(const Case& c) {
  Matrix<float> w(c.rows, c.inputs);
  Random random(12);
  for (std::int64_t r = 0; r < c.rows; ++r)
    for (float& v : w.view().row(r)) v = static_cast<float>(random.uniform() - 0.5);
  return w;
}

Doubles inverse(Doubles a) {
  const std::size_t n = a.size();
  Doubles b(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) b[i][i] = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = a[i][i];
    for (std::size_t j = 0; j < n; ++j) a[i][j] /= pivot, b[i][j] /= pivot;
    for (std::size_t r = 0; r < n; ++r) {
      const double factor = r == i ? 0 : a[r][i];
      for (std::size_t j = 0; j < n; ++j) a[r][j] -= factor * a[i][j], b[r][j] -= factor * b[i][j];
    }
  }
  return b;
}

QuantizedTensor round_all(Step& step, const Case& c, const calibrate::LinearStatistics& statistics,
                          MatrixView<const float> weights) {
  Runtime runtime(2);
  const PlannedUnit unit = unit_of(c);
  const auto rounder = step.rounder(runtime, unit, &statistics);
  QuantizedTensor made = allocate_tensor(unit.shape, unit.scheme);
  rounder->round(0, weights, made, 0);
  return made;
}

std::unique_ptr<Step> make_step(const std::string& text) {
  Recipe recipe = parse_recipe("steps:\n  - " + text + "\n", "test");
  auto steps = make_steps(recipe);
  return std::move(steps.at(0));
}

calibrate::LinearStatistics statistics_of(const Case& c, MatrixView<const float> x) {
  Runtime runtime(2);
  calibrate::Accumulator sum(c.inputs, calibrate::kHessian | calibrate::kMoments, c.tokens);
  sum.add(runtime, x);
  return sum.finish(runtime);
}

double output_error(MatrixView<const float> x, MatrixView<const float> w,
                    const QuantizedTensor& q) {
  Matrix<float> back(w.rows, w.cols);
  q.format->dequantize(q, 0, back.view());
  double sum = 0;
  for (std::int64_t t = 0; t < x.rows; ++t)
    for (std::int64_t r = 0; r < w.rows; ++r) {
      double wrong = 0;
      for (std::int64_t j = 0; j < w.cols; ++j)
        wrong += double(x.row_data(t)[j]) *
                 (double(w.row_data(r)[j]) - double(back.view().row_data(r)[j]));
      sum += wrong * wrong;
    }
  return sum;
}

// Static groups in the order of falling energy, everything in doubles.
std::vector<std::vector<int>> naive_codes(const Case& c, MatrixView<const float> x,
                                          MatrixView<const float> weights) {
  const auto n = static_cast<std::size_t>(c.inputs);
  Doubles h(n, std::vector<double>(n, 0.0));
  for (std::int64_t t = 0; t < c.tokens; ++t)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        h[i][j] += double(x.row_data(t)[i]) * double(x.row_data(t)[j]) / double(c.tokens);
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += h[i][i] / double(n);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return h[a][a] > h[b][b]; });
  std::vector<float> importance;
  for (std::size_t i = 0; i < n; ++i) {
    h[i][i] += 0.1 * mean;
    importance.push_back(static_cast<float>(h[i][i]));
  }
  // The grids: what the format itself finds for these weights and importances.
  const PlannedUnit unit = unit_of(c);
  QuantizedTensor grids = allocate_tensor(unit.shape, unit.scheme);
  grids.format->quantize(grids, 0, weights,
                         {.method = RoundMethod::kScaleSearch, .importance = importance});
  const std::int64_t group = unit.scheme.group_size;
  std::vector<std::vector<int>> codes;
  for (std::int64_t r = 0; r < c.rows; ++r) {
    std::vector<std::uint8_t> ignored(n);
    std::vector<float> scales(n / static_cast<std::size_t>(group)), offsets(scales.size());
    grids.format->read_grid(grids, r, {.codes = ignored, .scales = scales, .offsets = offsets});
    Doubles inv = inverse(h);
    std::vector<double> w(weights.row(r).begin(), weights.row(r).end());
    std::vector<int> row(n);
    for (const std::size_t i : order) {
      const double scale = scales[i / static_cast<std::size_t>(group)];
      row[i] = static_cast<int>(std::clamp(std::nearbyint(w[i] / scale + 8), 0.0, 15.0));
      const double error = (w[i] - scale * (row[i] - 8)) / inv[i][i];
      for (std::size_t j = 0; j < n; ++j) w[j] -= error * inv[i][j];
      const Doubles before = inv;
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = 0; b < n; ++b) inv[a][b] -= before[a][i] * before[i][b] / before[i][i];
      for (std::size_t a = 0; a < n; ++a) inv[a][i] = inv[i][a] = 0;
      inv[i][i] = 1;
    }
    codes.push_back(row);
  }
  return codes;
}

TEST(Gptq, RoundsAsItsPlainFormInDoubles) {
  const Case c;
  const Matrix<float> x = make_inputs(c), w = make_weights(c);
  const auto made =
      round_all(*make_step("gptq: {order: activation}"), c, statistics_of(c, x.view()), w.view());
  const auto expected = naive_codes(c, x.view(), w.view());
  int different = 0;
  for (std::int64_t r = 0; r < c.rows; ++r) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(c.inputs));
    std::vector<float> scales(static_cast<std::size_t>(c.inputs / 16)), offsets(scales.size());
    made.format->read_grid(made, r, {.codes = codes, .scales = scales, .offsets = offsets});
    for (std::size_t j = 0; j < codes.size(); ++j)
      different += codes[j] != expected[static_cast<std::size_t>(r)][j] ? 1 : 0;
  }
  EXPECT_EQ(different, 0);
}

TEST(Gptq, EveryOrderLowersTheOutputErrorOfNearestRounding) {
  for (const char* scheme : {"w4g16", "w3g16", "w4g16-asym", "w4c", "w8g16"}) {
    Case c;
    c.scheme = scheme;
    c.rows = 30;
    const Matrix<float> x = make_inputs(c), w = make_weights(c);
    const auto statistics = statistics_of(c, x.view());
    const double nearest =
        output_error(x.view(), w.view(), round_all(*make_step("rtn"), c, statistics, w.view()));
    for (const char* order : {"natural", "activation", "groups"}) {
      const auto step = make_step(std::string("gptq: {order: ") + order + "}");
      const double error =
          output_error(x.view(), w.view(), round_all(*step, c, statistics, w.view()));
      EXPECT_LT(error, 0.8 * nearest) << scheme << " " << order;
    }
  }
}

TEST(Gptq, ChoosesCodesOfGgufBlocksUnderTheirScales) {
  for (const char* scheme :
       {"q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q4_0", "q4_1", "q5_1", "q8_0"}) {
    Case c;
    c.scheme = scheme;
    c.rows = 50;
    c.inputs = 256;
    c.tokens = 600;
    const Matrix<float> x = make_inputs(c), w = make_weights(c);
    const auto statistics = statistics_of(c, x.view());
    const auto nearest =
        round_all(*make_step("rtn: {importance: activations}"), c, statistics, w.view());
    const auto made = round_all(*make_step("gptq"), c, statistics, w.view());
    EXPECT_LT(output_error(x.view(), w.view(), made),
              0.8 * output_error(x.view(), w.view(), nearest))
        << scheme;
    const auto groups = static_cast<std::size_t>(c.inputs / unit_of(c).scheme.group_size);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(c.inputs));
    std::vector<float> scales(groups), offsets(groups, 0.0f), before(groups),
        offsets_before(groups, 0.0f);
    // The scales are those that the format itself finds for these importances, damped.
    std::vector<float> importance = statistics.square;
    double mean = 0;
    for (const float square : importance) mean += square / static_cast<double>(c.inputs);
    for (float& square : importance) square += static_cast<float>(0.1 * mean);
    QuantizedTensor found = allocate_tensor(made.shape, made.scheme);
    found.format->quantize(found, 0, w.view(), {.importance = importance});
    for (std::int64_t r = 0; r < c.rows; ++r) {
      made.format->read_grid(made, r, {codes, scales, offsets});
      found.format->read_grid(found, r, {codes, before, offsets_before});
      EXPECT_EQ(scales, before) << scheme;
      EXPECT_EQ(offsets, offsets_before) << scheme;
    }
  }
}

TEST(Gptq, AHessianOfRankOneAndDeadInputsStillGiveNumbers) {
  Case c;
  Matrix<float> x(c.tokens, c.inputs);
  for (std::int64_t t = 0; t < c.tokens; ++t)
    for (std::int64_t j = 0; j < c.inputs; ++j)
      x.view().row_data(t)[j] = j % 3 == 0 ? 0.0f : static_cast<float>(t % 5) - 2.0f;
  const Matrix<float> w = make_weights(c);
  for (const char* damping : {"0", "0.01"}) {
    const auto made = round_all(*make_step(std::string("gptq: {damping: ") + damping + "}"), c,
                                statistics_of(c, x.view()), w.view());
    Matrix<float> back(c.rows, c.inputs);
    made.format->dequantize(made, 0, back.view());
    for (std::int64_t r = 0; r < c.rows; ++r)
      for (const float v : back.view().row(r)) EXPECT_LT(std::abs(v), 2.0f);
  }
}

TEST(Gptq, WithoutTokensItRoundsToNearest) {
  const Case c;
  const Matrix<float> w = make_weights(c);
  Runtime runtime(1);
  calibrate::Accumulator none(c.inputs, calibrate::kHessian, 10);
  const auto starved = none.finish(runtime);
  const auto step = make_step("gptq"), nearest = make_step("rtn");
  const auto a = round_all(*step, c, starved, w.view()),
             b = round_all(*nearest, c, starved, w.view());
  EXPECT_TRUE(std::ranges::equal(a.parts[0].view(), b.parts[0].view()));
}

}  // namespace
}  // namespace farthing::compress
