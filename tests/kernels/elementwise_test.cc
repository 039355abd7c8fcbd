#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "core/error.h"
#include "core/random.h"
#include "tests/kernels/levels.h"
#include "tests/reference/elementwise_oracle.h"

namespace farthing::kernels {
namespace {

constexpr std::string_view kNames[] = {"silu",       "gelu", "gelu_pytorch_tanh",
                                       "quick_gelu", "relu", "relu2"};

std::vector<float> random_floats(Random& random, std::int64_t count, double spread = 1.0,
                                 double centre = 0.0) {
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers)
    x = static_cast<float>(centre + spread * 2 * (random.uniform() + random.uniform() - 1));
  return numbers;
}

void expect_close(float got, double want, double relative, double absolute = 0) {
  ASSERT_NEAR(static_cast<double>(got), want, relative * std::fabs(want) + absolute);
}

TEST(Norms, EqualTheOracleForOddSizesAndStrides) {
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (std::int64_t cols : {1, 3, 15, 16, 17, 33, 64, 100, 576, 2048})
      for (double centre : {0.0, 100.0}) {
        Random random(static_cast<std::uint64_t>(cols));
        const std::int64_t rows = 5, stride = cols + 3;
        const auto x = random_floats(random, rows * stride, 1.0, centre);
        const auto w = random_floats(random, cols), b = random_floats(random, cols);
        std::vector<float> y(x.size(), 7.0f);
        const MatrixView<const float> in{x.data(), rows, cols, stride};
        const MatrixView<float> out{y.data(), rows, cols, stride};
        const auto check = [&](const float* weight, const float* bias, bool centred) {
          for (std::int64_t r = 0; r < rows; ++r) {
            const auto want = reference::norm(in.row_data(r), static_cast<std::size_t>(cols),
                                              weight, bias, 1e-5f, centred);
            for (std::int64_t i = 0; i < cols; ++i)
              expect_close(out.row_data(r)[i], want[static_cast<std::size_t>(i)], 4e-7, 4e-7);
            for (std::int64_t i = cols; i < stride && r + 1 < rows; ++i)
              ASSERT_EQ(out.row_data(r)[i], 7.0f);
          }
        };
        rms_norm(runtime, in, w, 1e-5f, out);
        check(w.data(), nullptr, false);
        layer_norm(runtime, in, w, b, 1e-5f, out);
        check(w.data(), b.data(), true);
        layer_norm(runtime, in, {}, {}, 1e-5f, out);
        check(nullptr, nullptr, true);
        layer_norm(runtime, in, w, {}, 1e-5f, out);
        check(w.data(), nullptr, true);
      }
  }
}

TEST(Norms, OfHeadsTakeSharedWeightsOrOneRowAHead) {
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (std::int64_t dim : {1, 5, 64, 80})
      for (bool centred : {false, true})
        for (bool shared : {false, true}) {
          Random random(4);
          const std::int64_t heads = 3, rows = 4, cols = heads * dim;
          const auto x = random_floats(random, rows * cols);
          const auto w = random_floats(random, shared ? dim : cols);
          auto y = x;
          norm_heads(runtime, {y.data(), rows, cols}, dim, w, 1e-6f, centred);
          for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t h = 0; h < heads; ++h) {
              const std::int64_t at = r * cols + h * dim;
              const auto want =
                  reference::norm(x.data() + at, static_cast<std::size_t>(dim),
                                  w.data() + (shared ? 0 : h * dim), nullptr, 1e-6f, centred);
              for (std::int64_t i = 0; i < dim; ++i)
                expect_close(y[static_cast<std::size_t>(at + i)], want[static_cast<std::size_t>(i)],
                             4e-7, 1e-6);
            }
        }
  }
}

TEST(Norms, MayWriteOverTheirInput) {
  Runtime runtime(2);
  Random random(8);
  const auto x = random_floats(random, 4 * 100), w = random_floats(random, 100);
  std::vector<float> apart(x.size());
  auto same = x;
  rms_norm(runtime, {x.data(), 4, 100}, w, 1e-5f, {apart.data(), 4, 100});
  rms_norm(runtime, {same.data(), 4, 100}, w, 1e-5f, {same.data(), 4, 100});
  EXPECT_EQ(apart, same);
}

TEST(Rotate, TurnsPairsAndLeavesTheRestOfAHeadAlone) {
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (bool interleaved : {false, true})
      for (auto [dim, turned] :
           {std::pair{2, 2}, {10, 6}, {64, 64}, {80, 32}, {100, 70}, {128, 128}}) {
        Random random(5);
        const std::int64_t heads = 3, rows = 4, cols = heads * dim, half = turned / 2;
        const auto x = random_floats(random, rows * cols);
        auto y = x;
        std::vector<float> table(static_cast<std::size_t>(rows * turned));
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t i = 0; i < half; ++i) {
            const double angle = 6 * random.uniform();
            table[static_cast<std::size_t>(r * turned + i)] = static_cast<float>(std::cos(angle));
            table[static_cast<std::size_t>(r * turned + half + i)] =
                static_cast<float>(std::sin(angle));
          }
        rotate(runtime, {y.data(), rows, cols}, dim, turned, interleaved,
               {table.data(), rows, turned});
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t h = 0; h < heads; ++h) {
            const auto at = static_cast<std::size_t>(r * cols + h * dim);
            for (std::size_t i = 0; i < static_cast<std::size_t>(half); ++i) {
              const std::size_t a = at + (interleaved ? 2 * i : i);
              const std::size_t b = interleaved ? a + 1 : a + static_cast<std::size_t>(half);
              const float* c = table.data() + r * turned + static_cast<std::int64_t>(i);
              const auto [first, second] = reference::turn(x[a], x[b], c[0], c[half]);
              expect_close(y[a], first, 0, 4e-7);
              expect_close(y[b], second, 0, 4e-7);
            }
            for (std::size_t i = static_cast<std::size_t>(turned);
                 i < static_cast<std::size_t>(dim); ++i)
              ASSERT_EQ(y[at + i], x[at + i]);
          }
      }
  }
}

// A sweep over all magnitudes that matter; the largest errors seen are in simd/math.h.
std::vector<float> sweep() {
  std::vector<float> x = {0.0f, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f};
  for (int i = -200000; i <= 200000; ++i) x.push_back(static_cast<float>(i) * 1e-4f);
  for (int i = -600; i <= 600; ++i) x.push_back(static_cast<float>(i) * 0.25f);
  for (double s = 1e-8; s < 1; s *= 1.01) {
    x.push_back(static_cast<float>(s));
    x.push_back(static_cast<float>(-s));
  }
  return x;
}

// gelu's tanh form and quick_gelu round the argument of an exponential, which costs them digits
// where their results are next to nothing.
double tolerance(std::string_view name, float x) {
  if (name == "gelu_pytorch_tanh") return x > -2 ? 5e-7 : 1.5e-5;
  if (name == "quick_gelu") return x > -2 ? 5e-7 : x > -9 ? 1e-6 : 1e-5;
  return 5e-7;
}

TEST(Activations, EqualTheOracleOverASweep) {
  const auto x = sweep();
  const auto size = static_cast<std::int64_t>(x.size());
  std::vector<float> y(x.size());
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (auto name : kNames) {
      SCOPED_TRACE(std::string(name) + " " + std::string(isa_name(isa)));
      activate(runtime, parse_activation(name), {x.data(), 1, size}, {y.data(), 1, size});
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double want = reference::activation(name, x[i]);
        if (std::fabs(want) > 3e38) continue;  // relu2 of 1e30
        ASSERT_NEAR(y[i], want, tolerance(name, x[i]) * std::fabs(want) + 1e-36) << x[i];
      }
    }
  }
}

TEST(Activations, PropagateNotANumber) {
  for (Isa isa : levels()) {
    Runtime runtime(1, runnable_isas().up_to(isa));
    for (auto name : {"silu", "gelu", "gelu_pytorch_tanh", "quick_gelu"}) {
      float x = NAN, y = 0;
      activate(runtime, parse_activation(name), {&x, 1, 1}, {&y, 1, 1});
      EXPECT_TRUE(std::isnan(y)) << name;
    }
  }
}

TEST(Activations, GatedMultiplyByTheSecondHalf) {
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (std::int64_t cols : {1, 7, 16, 50, 1000}) {
      Random random(6);
      const auto x = random_floats(random, 3 * 2 * cols, 3.0);
      std::vector<float> y(static_cast<std::size_t>(3 * cols));
      for (auto name : kNames) {
        activate_gated(runtime, parse_activation(name), {x.data(), 3, 2 * cols},
                       {y.data(), 3, cols});
        for (std::int64_t r = 0; r < 3; ++r)
          for (std::int64_t i = 0; i < cols; ++i) {
            const float *gate = x.data() + r * 2 * cols + i, *up = gate + cols;
            expect_close(y[static_cast<std::size_t>(r * cols + i)],
                         reference::activation(name, *gate) * *up, tolerance(name, *gate) + 1e-7,
                         1e-36);
          }
      }
    }
  }
}

TEST(Activations, AreFoundByTheirNamesAndUnknownOnesListThem) {
  EXPECT_EQ(parse_activation("gelu_new"), Activation::kGeluTanh);
  EXPECT_EQ(parse_activation("swish"), Activation::kSilu);
  try {
    parse_activation("mish");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("quick_gelu"), std::string::npos);
  }
}

TEST(SoftCap, EqualsTheOracle) {
  const auto x = sweep();
  const auto size = static_cast<std::int64_t>(x.size());
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (float cap : {0.5f, 30.0f, 50.0f}) {
      auto y = x;
      soft_cap(runtime, cap, {y.data(), 1, size});
      for (std::size_t i = 0; i < x.size(); ++i)
        expect_close(y[i], cap * std::tanh(static_cast<double>(x[i]) / cap), 5e-7, 1e-37);
    }
  }
}

TEST(Sums, AddAndScaleEveryNumberAndNoOther) {
  for (Isa isa : levels()) {
    Runtime runtime(2, runnable_isas().up_to(isa));
    for (std::int64_t cols : {1, 15, 16, 47}) {
      Random random(2);
      const auto x = random_floats(random, 3 * 50), old = random_floats(random, 3 * 50);
      auto y = old;
      add_to(runtime, {x.data(), 3, cols, 50}, 0.5f, {y.data(), 3, cols, 50});
      scale_by(runtime, 3.0f, {y.data(), 3, cols, 50});
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (static_cast<std::int64_t>(i) % 50 < cols)
          expect_close(y[i], 3.0 * (old[i] + 0.5 * x[i]), 3e-7, 1e-7);
        else
          ASSERT_EQ(y[i], old[i]);
      }
    }
  }
}

TEST(Elementwise, GivesTheSameBitsOnEveryInstructionSetAndNumberOfThreads) {
  const auto x = sweep();
  const auto size = static_cast<std::int64_t>(x.size()) / 2 * 2;
  std::vector<std::vector<float>> first;
  for (Isa isa : levels())
    for (int threads : {1, 3}) {
      Runtime runtime(threads, runnable_isas().up_to(isa));
      std::vector<std::vector<float>> results;
      for (auto name : kNames) {
        std::vector<float> y(static_cast<std::size_t>(size));
        activate(runtime, parse_activation(name), {x.data(), 2, size / 2}, {y.data(), 2, size / 2});
        results.push_back(y);
        y.resize(static_cast<std::size_t>(size / 2));
        activate_gated(runtime, parse_activation(name), {x.data(), 1, size},
                       {y.data(), 1, size / 2});
        results.push_back(y);
      }
      Random random(1);
      const auto z = random_floats(random, 12 * 500, 1.0, 0.3),
                 table = random_floats(random, 12 * 40);
      std::vector<float> y(z.size());
      rms_norm(runtime, {z.data(), 12, 500}, {z.data(), 500}, 1e-5f, {y.data(), 12, 500});
      results.push_back(y);
      layer_norm(runtime, {z.data(), 12, 500}, {z.data(), 500}, {z.data() + 500, 500}, 1e-5f,
                 {y.data(), 12, 500});
      results.push_back(y);
      rotate(runtime, {y.data(), 12, 500}, 50, 40, false, {table.data(), 12, 40});
      rotate(runtime, {y.data(), 12, 500}, 50, 40, true, {table.data(), 12, 40});
      results.push_back(y);
      add_to(runtime, {z.data(), 12, 500}, 0.3f, {y.data(), 12, 500});
      soft_cap(runtime, 0.7f, {y.data(), 12, 500});
      results.push_back(y);
      if (first.empty()) first = results;
      for (std::size_t i = 0; i < results.size(); ++i)
        for (std::size_t j = 0; j < results[i].size(); ++j)
          ASSERT_EQ(std::bit_cast<std::uint32_t>(results[i][j]),
                    std::bit_cast<std::uint32_t>(first[i][j]))
              << isa_name(isa) << " result " << i << " number " << j;
    }
}

}  // namespace
}  // namespace farthing::kernels
