#include "bench/sparse_bench.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/random.h"
#include "formats/format.h"
#include "io/bitmask_layout.h"
#include "kernels/squeeze.h"
#include "tensor/matrix_view.h"

namespace farthing::bench {
namespace {

constexpr Shape kShape{2048, 2048};
constexpr std::size_t kBytes = 96u << 20;  // of all copies, dense: beyond the caches
constexpr double kDensities[] = {0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};

struct Case {
  std::string_view scheme;
  ActivationMode mode;
};
constexpr Case kCases[] = {{"bf16", ActivationMode::kF32},
                           {"w8c", ActivationMode::kInt8},
                           {"w8g32", ActivationMode::kInt16},
                           {"w4g64", ActivationMode::kInt8}};

// The same number of zeros in every row, at random places.
QuantizedTensor thin_weights(Runtime& runtime, const WeightScheme& scheme, double density) {
  QuantizedTensor tensor = allocate_tensor(kShape, scheme);
  runtime.parallel(kShape.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    Random random(static_cast<std::uint64_t>(begin) + 1);
    Matrix<float> rows(end - begin, kShape.cols);
    for (std::int64_t r = 0; r < end - begin; ++r)
      for (float& x : rows.view().row(r)) {
        const bool kept = random.uniform() < density;
        // Away from zero, so that rounding makes no more of them.
        const double size = 0.3 + random.uniform();
        x = kept ? static_cast<float>(random.uniform() < 0.5 ? size : -size) : 0.0f;
      }
    tensor.format->quantize(tensor, begin, rows.view(),
                            {.method = RoundMethod::kMinMax, .importance = {}});
  });
  return tensor;
}

// Copies of a layer, all dense or all squeezed.
class Copies {
 public:
  Copies(Runtime& runtime, const QuantizedTensor& weight, const ActivationScheme& inputs,
         std::size_t count, bool squeezed) {
    const kernels::LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
    for (std::size_t i = 0; i < count; ++i) {
      matrices_.push_back(kernels::pack_dense(runtime, {&source, 1}, inputs));
      if (squeezed) kernels::squeeze(runtime, matrices_.back(), 1.0);
    }
  }
  const kernels::PackedMatrix& front() const { return matrices_.front(); }
  double bits() const {
    return 8.0 * static_cast<double>(front().tiles.size()) / static_cast<double>(kShape.size());
  }
  double seconds(Runtime& runtime, MatrixView<const float> x, MatrixView<float> y) {
    kernels::Activations inputs;
    const auto start = Clock::now();
    for (const kernels::PackedMatrix& matrix : matrices_) {
      inputs.assign(x);
      kernels::multiply(runtime, matrix, inputs, 0, y, {});
    }
    return seconds_since(start);
  }

 private:
  std::vector<kernels::PackedMatrix> matrices_;
};

SparsePoint bench_point(Runtime& runtime, const Case& test, double density, int repeats,
                        SparseRow& row) {
  const WeightScheme scheme = parse_scheme(test.scheme).weights;
  const ActivationScheme inputs = resolve_activations(scheme, &test.mode);
  const QuantizedTensor weight = thin_weights(runtime, scheme, density);
  const auto count = static_cast<std::size_t>(static_cast<double>(kBytes) * 8 /
                                              (bits_per_weight(scheme, kShape.cols) *
                                               static_cast<double>(kShape.size()))) +
                     1;
  Copies dense(runtime, weight, inputs, count, false),
      squeezed(runtime, weight, inputs, count, true);
  row.kernel = dense.front().kernel_name;
  Matrix<float> x(1, kShape.cols), y(1, kShape.rows);
  Random random(3);
  for (float& value : x.view().row(0)) value = static_cast<float>(random.uniform() - 0.5);
  std::vector<double> gains;
  for (int i = -1; i < repeats; ++i) {  // the first warms up
    const double plain = dense.seconds(runtime, x.view(), y.view());
    const double thin = squeezed.seconds(runtime, x.view(), y.view());
    if (i >= 0) gains.push_back(plain / thin);
  }
  return {density, dense.bits(), squeezed.bits(), spread_of(gains)};
}

}  // namespace

double break_even_of(const std::vector<SparsePoint>& points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const SparsePoint& now = points[i];
    if (now.gain.median < 1) continue;
    if (i == 0) return now.density;
    const SparsePoint& before = points[i - 1];
    const double part = (now.gain.median - 1) / (now.gain.median - before.gain.median);
    return now.density + part * (before.density - now.density);
  }
  return 0;
}

std::vector<SparseRow> bench_sparse(Runtime& runtime, int repeats, Progress& progress) {
  std::vector<SparseRow> rows;
  std::int64_t done = 0;
  for (const Case& test : kCases) {
    SparseRow row{.scheme = std::string(test.scheme),
                  .activations = std::string(activation_name(test.mode)),
                  .kernel = {},
                  .points = {}};
    for (const double density : kDensities) {
      row.points.push_back(bench_point(runtime, test, density, repeats, row));
      progress.update("sparse kernels", ++done, std::ssize(kCases) * std::ssize(kDensities));
      if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    }
    row.break_even = break_even_of(row.points);
    row.file_break_even = io::bitmask_break_even(parse_scheme(test.scheme).weights.bits);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string sparse_text(const std::vector<SparseRow>& rows) {
  std::string text =
      fmt::format("{:<10} {:<6} {:<22} {:>8} {:>12} {:>12} {:>18}\n", "weights", "inputs", "kernel",
                  "density", "bits dense", "squeezed", "decode gain");
  for (const SparseRow& row : rows) {
    for (const SparsePoint& p : row.points)
      text +=
          fmt::format("{:<10} {:<6} {:<22} {:>8.2f} {:>12.2f} {:>12.2f} {:>6.2f} ({:.2f}-{:.2f})\n",
                      row.scheme, row.activations, row.kernel, p.density, p.dense_bits,
                      p.squeezed_bits, p.gain.median, p.gain.min, p.gain.max);
    text += fmt::format("{}: a bitmap in files saves bytes below a density of {:.3f}\n", row.scheme,
                        row.file_break_even);
    text += row.break_even > 0
                ? fmt::format("{} x {}: pays below a density of {:.2f} on this machine\n",
                              row.scheme, row.activations, row.break_even)
                : fmt::format("{} x {}: never pays in time on this machine, only in bytes\n",
                              row.scheme, row.activations);
  }
  return text;
}

Json sparse_json(const std::vector<SparseRow>& rows) {
  Json all = Json::array();
  for (const SparseRow& row : rows) {
    Json points = Json::array();
    for (const SparsePoint& p : row.points)
      points.push_back(
          {{"density", p.density},
           {"dense_bits", p.dense_bits},
           {"squeezed_bits", p.squeezed_bits},
           {"gain", {{"median", p.gain.median}, {"min", p.gain.min}, {"max", p.gain.max}}}});
    all.push_back({{"scheme", row.scheme},
                   {"activations", row.activations},
                   {"kernel", row.kernel},
                   {"break_even", row.break_even},
                   {"file_break_even", row.file_break_even},
                   {"points", std::move(points)}});
  }
  return all;
}

}  // namespace farthing::bench
