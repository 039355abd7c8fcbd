#include "tune/costs.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "bench/advice.h"
#include "bench/measure.h"
#include "core/error.h"
#include "core/random.h"
#include "formats/format.h"
#include "io/durable_file.h"
#include "model/weights.h"

namespace farthing::tune {
namespace {

// Of the kernels' speed: costs that were measured with an older one are measured again.
constexpr int kRevision = 1;
constexpr JsonLimits kLimits{.bytes = 8u << 20, .depth = 4, .values = 200'000};
constexpr double kBeyondCaches = 96e6;   // bytes that no last cache keeps
constexpr double kSampleSeconds = 2e-4;  // of passes that are timed together, at least
constexpr double kSeconds = 0.06;        // of all samples
constexpr int kLeastSamples = 7;

QuantizedTensor random_weights(Runtime& runtime, const LinearKind& kind) {
  constexpr std::int64_t kRows = 64;  // of a height that every format takes; repeated
  const Shape shape = kind.shape;
  QuantizedTensor tensor = allocate_tensor(shape, kind.weights);
  Matrix<float> rows(kRows, shape.cols);
  Random random(3);
  std::vector<std::uint8_t> pruned(static_cast<std::size_t>(shape.cols));
  for (std::int64_t r = 0; r < kRows; ++r) {
    const auto row = rows.view().row(r);
    for (float& x : row) x = static_cast<float>(random.uniform() - 0.5);
    if (!kind.sparsity) continue;
    compress::choose_pruned(*kind.sparsity, row, pruned);  // they are as good as scores
    for (std::size_t j = 0; j < row.size(); ++j)
      if (pruned[j] != 0) row[j] = 0;
  }
  runtime.parallel(shape.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r += kRows)
      tensor.format->quantize(tensor, r, rows.view().rows_from(0, std::min(kRows, end - r)),
                              {.method = RoundMethod::kMinMax, .importance = {}});
  });
  return tensor;
}

// The least time of many short samples: what disturbs a sample only ever adds, and a short one fits
// between two disturbances on a machine that others use too.
template <class Body>
double least_seconds(Body body) {
  body();  // fills the caches, makes the threads
  auto start = bench::Clock::now();
  body();
  const double once = std::max(bench::seconds_since(start), 1e-8);
  const auto inner = static_cast<std::int64_t>(std::clamp(kSampleSeconds / once, 1.0, 1e5));
  double least = once;
  const auto first = bench::Clock::now();
  for (int sample = 0; sample < kLeastSamples || bench::seconds_since(first) < kSeconds; ++sample) {
    start = bench::Clock::now();
    for (std::int64_t i = 0; i < inner; ++i) body();
    least = std::min(least, bench::seconds_since(start) / static_cast<double>(inner));
  }
  return least;
}

LinearCost measure(Runtime& runtime, const LinearKind& kind, std::int64_t tokens, double around) {
  const QuantizedTensor tensor = random_weights(runtime, kind);
  const Shape shape = kind.shape;
  const kernels::LinearSource source{.weight = &tensor, .bias = {}, .row_order = {}};
  std::vector<model::LinearGroup> copies;
  double bytes = 0;
  do {
    copies.emplace_back().add(
        kernels::Linear::pack(runtime, {&source, 1}, kind.activations), {},
        std::vector<float>(kind.multiplied ? static_cast<std::size_t>(shape.cols) : 0, 1.0f));
    bytes += static_cast<double>(copies.back().bytes());
  } while (bytes + static_cast<double>(copies[0].bytes()) <= std::min(around, kBeyondCaches));
  Matrix<float> x(tokens, shape.cols), y(tokens, shape.rows);
  Random random(7);
  for (std::int64_t r = 0; r < tokens; ++r)
    for (float& value : x.view().row(r)) value = static_cast<float>(random.uniform() - 0.5);
  kernels::Activations inputs;
  inputs.assign(std::as_const(x).view());
  const auto pass = [&](bool fresh) {
    for (const model::LinearGroup& linear : copies) {
      if (fresh) inputs.assign(std::as_const(x).view());
      linear.apply(runtime, inputs, y.view());
    }
  };
  const auto count = static_cast<double>(copies.size());
  LinearCost cost;
  cost.bytes = static_cast<double>(copies[0].bytes());
  cost.seconds = least_seconds([&] { pass(false); }) / count;
  cost.prepare_seconds = std::max(0.0, least_seconds([&] { pass(true); }) / count - cost.seconds);
  return cost;
}

Json machine_key(const Runtime& runtime) {
  return {{"cpu", machine_limits().cpu_name},
          {"isas", runtime.isas.names()},
          {"threads", runtime.pool.size()},
          {"program", bench::program_name()},
          {"kernels", kRevision}};
}

double positive(const Json& row, std::string_view key) {
  const double value = json_number(row, key, "costs");
  if (!(value >= 0 && value < 1e12)) bad_input("costs: {} is out of range", key);
  return value;
}

}  // namespace

CostModel::CostModel(Runtime& runtime, std::string path)
    : runtime_(runtime), path_(std::move(path)) {
  std::error_code ignored;
  if (path_.empty() || !std::filesystem::is_regular_file(path_, ignored)) return;
  try {
    const Json json = read_json_file(path_, kLimits);
    const Json* machine = json.is_object() ? json_find(json, "machine") : nullptr;
    const Json* rows = json.is_object() ? json_find(json, "linears") : nullptr;
    if (machine == nullptr || *machine != machine_key(runtime) || rows == nullptr ||
        !rows->is_object())
      return;
    for (const auto& [name, row] : rows->items())
      known_[name] = {.seconds = positive(row, "seconds"),
                      .prepare_seconds = positive(row, "prepare_seconds"),
                      .bytes = positive(row, "bytes")};
  } catch (const Error&) {
    known_.clear();  // measured again
  }
}

const LinearCost& CostModel::linear(const LinearKind& kind, std::int64_t tokens, double around) {
  // Powers of two tell apart what a cache holds and what it does not.
  const int power = static_cast<int>(std::lround(std::log2(std::max(around, 1.0))));
  const ActivationScheme& inputs = kind.activations;
  const std::string name = fmt::format(
      "{}x{} {} {} {}{}{} {} tokens in 2^{}", kind.shape.rows, kind.shape.cols,
      scheme_name(kind.weights), activation_name(inputs.mode),
      inputs.strategy == Strategy::kGroup ? inputs.group_size : 0,
      kind.multiplied ? " multiplied" : "",
      kind.sparsity ? " sparse " + compress::sparsity_text(*kind.sparsity) : "", tokens, power);
  const auto found = known_.find(name);
  if (found != known_.end()) return found->second;
  dirty_ = true;
  return known_[name] = measure(runtime_, kind, tokens, around);
}

double CostModel::start_seconds() {
  const auto found = known_.find("start");
  if (found != known_.end()) return found->second.seconds;
  const double seconds =
      least_seconds([&] { runtime_.parallel_streams(64, 1, [](std::int64_t, std::int64_t) {}); });
  dirty_ = true;
  known_["start"] = {.seconds = seconds, .prepare_seconds = 0, .bytes = 0};
  return seconds;
}

void CostModel::save() {
  if (path_.empty() || !dirty_) return;
  Json rows = Json::object();
  for (const auto& [name, cost] : known_)
    rows[name] = {{"seconds", cost.seconds},
                  {"prepare_seconds", cost.prepare_seconds},
                  {"bytes", cost.bytes}};
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  try {
    const Json json = {{"schema", 1}, {"machine", machine_key(runtime_)}, {"linears", rows}};
    io::write_durably(path_, json.dump(1) + "\n");
    dirty_ = false;
  } catch (const Error&) {
    return;  // a read-only home: the next call measures again
  }
}

}  // namespace farthing::tune
