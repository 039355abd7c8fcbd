#include "bench/kernel_bench.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "bench/vector_bench.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::bench {
namespace {

// A layer of a model of a billion parameters; scalar code, which arithmetic bounds, gets a small
// one so that it ends.
constexpr Shape kShape{2048, 2048}, kScalarShape{256, 1024};
constexpr double kBeyondCaches = 64e6;
constexpr std::string_view kSchemes[] = {"fp32",  "bf16",       "fp16",   "w8g64", "w4g64",
                                         "w4g32", "w4g64-asym", "w2g64",  "w3g64", "w5g64",
                                         "w6g64", "w8c",        "nf4g64", "mxfp4"};

QuantizedTensor random_weights(Runtime& runtime, Shape shape, const WeightScheme& scheme) {
  QuantizedTensor tensor = allocate_tensor(shape, fit_to_row(scheme, shape.cols));
  runtime.parallel(shape.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    Random random(static_cast<std::uint64_t>(begin) + 1);
    Matrix<float> rows(end - begin, shape.cols);
    for (std::int64_t r = 0; r < end - begin; ++r)
      for (float& x : rows.view().row(r)) x = static_cast<float>(random.uniform() - 0.5);
    tensor.format->quantize(tensor, begin, rows.view(),
                            {.method = RoundMethod::kMinMax, .importance = {}});
  });
  return tensor;
}

Matrix<float> random_rows(std::int64_t rows, std::int64_t cols) {
  Matrix<float> x(rows, cols);
  Random random(7);
  for (std::int64_t r = 0; r < rows; ++r)
    for (float& value : x.view().row(r)) value = static_cast<float>(random.uniform() - 0.5);
  return x;
}

// nullopt: no kernel multiplies the pair.
std::optional<LinearCase> make_case(Runtime& runtime, std::string_view scheme, ActivationMode mode,
                                    std::size_t bytes) {
  try {
    return LinearCase(runtime, scheme, mode, bytes);
  } catch (const Error& error) {
    if (error.fault != Fault::kUnsupported) throw;
    return std::nullopt;
  }
}

// Tests with 1, 8 and many tokens, of which some may not be wanted.
std::vector<Row> wanted_rows(const KernelRows& to, std::string_view scheme, ActivationMode mode) {
  std::vector<Row> rows;
  for (const std::int64_t tokens : {1, 8, to.is_scalar() ? 32 : 512}) {
    Row row{.test = fmt::format("linear {}", tokens),
            .scheme = std::string(scheme),
            .activations = std::string(activation_name(mode)),
            .isa = to.isa(),
            .batch = tokens};
    if (to.wants(row)) rows.push_back(std::move(row));
  }
  return rows;
}

// The rows that this level adds: where a level has no kernel of its own, one below runs.
void bench_linears(KernelRows& to) {
  const std::size_t bytes = to.is_scalar() ? 0 : probe_bytes() / 2;
  std::int64_t done = 0;
  for (std::string_view scheme : kSchemes) {
    for (ActivationMode mode : kModes) {
      std::vector<Row> rows = wanted_rows(to, scheme, mode);
      if (rows.empty()) continue;
      auto test = make_case(to.runtime, scheme, mode, bytes);
      if (!test || !test->kernel().ends_with(" " + to.isa())) continue;
      for (Row& row : rows) {
        row.kernel = test->kernel();
        const std::int64_t tokens = row.batch;
        // Many tokens are bound by arithmetic: one copy is enough.
        const std::int64_t copies = tokens > 8 ? 1 : test->copies();
        to.measure(std::move(row), [&] { return test->run(to.runtime, tokens, copies); });
      }
    }
    to.progress.update(fmt::format("schemes, {}", to.isa()), ++done, std::ssize(kSchemes));
  }
}

}  // namespace

std::span<const std::string_view> kernel_schemes() { return kSchemes; }

LinearCase::LinearCase(Runtime& runtime, std::string_view scheme, ActivationMode mode,
                       std::size_t bytes) {
  const WeightScheme weights = parse_scheme(scheme).weights;
  const ActivationScheme inputs = resolve_activations(weights, &mode);
  const Shape shape = runtime.isas.best() == Isa::kScalar ? kScalarShape : kShape;
  const QuantizedTensor tensor = random_weights(runtime, shape, weights);
  const kernels::LinearSource source{.weight = &tensor, .bias = {}, .row_order = {}};
  do {
    linears_.push_back(kernels::Linear::pack(runtime, {&source, 1}, inputs));
  } while (this->bytes() < bytes);
}

double LinearCase::bits_per_weight() const {
  const kernels::Linear& first = linears_[0];
  return 8 * static_cast<double>(first.bytes()) / static_cast<double>(first.in() * first.out());
}

Timed LinearCase::run(Runtime& runtime, std::int64_t tokens, std::int64_t copies) {
  const kernels::Linear& first = linears_[0];
  const Matrix<float> x = random_rows(tokens, first.in());
  Matrix<float> y(tokens, first.out());
  kernels::Activations inputs;
  const auto start = Clock::now();
  for (std::int64_t c = 0; c < copies; ++c) {
    inputs.assign(x.view());  // each layer has inputs of its own to prepare
    linears_[static_cast<std::size_t>(c)].apply(runtime, inputs, y.view());
  }
  Timed timed{seconds_since(start), static_cast<double>(tokens * copies), {}};
  const auto bytes = static_cast<double>(copies) * static_cast<double>(first.bytes());
  if (bytes >= kBeyondCaches) timed.work.bytes = bytes;  // else it stays near the processor
  timed.work.operations[index(first.activations().mode)] =
      2.0 * timed.tokens * static_cast<double>(first.in() * first.out());
  return timed;
}

std::vector<Row> bench_kernels(Runtime& runtime, int repeats, std::span<const std::string> only,
                               Progress& progress) {
  std::vector<Row> rows;
  for (Isa isa : known_isas()) {
    Runtime level(runtime.pool.size(), runtime.isas.up_to(isa));
    if (!runtime.isas.has(isa) || level.isas.best() != isa) continue;
    RoofProbe roof(level);  // of this level's own instructions
    KernelRows to{level, roof, repeats, progress, only, rows};
    bench_linears(to);
    bench_vectors(to);
  }
  if (rows.empty()) {
    const std::vector<std::string_view> words(only.begin(), only.end());
    usage_error(
        "--only: no kernel that runs here has all of {}; give tests (linear, \"linear 512\", "
        "attention), schemes, activations, types of cache or instruction sets",
        printable(join(words, ", ")));
  }
  return rows;
}

}  // namespace farthing::bench
