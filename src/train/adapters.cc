#include "train/adapters.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "kernels/dense/dense.h"

namespace farthing::train {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"all", "norms", "adapters", "scales"};

void clear(MatrixView<float> m) { std::fill_n(m.data, m.rows * m.cols, 0.0f); }

void start(Parameter& parameter, const Parameter& of, std::string_view what, Shape shape) {
  parameter.name = fmt::format("{}:{}", of.name, what);
  parameter.layer = of.layer;
  parameter.is_matrix = true;
  clear(parameter.value.resize(shape.rows, shape.cols));
  clear(parameter.gradient.resize(shape.rows, shape.cols));
}

}  // namespace

Part parse_part(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    usage_error("--train must be one of {}; got {}", join(kNames, ", "), printable(name));
  return static_cast<Part>(found - kNames.begin());
}
std::string_view part_name(Part part) { return kNames[static_cast<std::size_t>(part)]; }

Adapters::Adapters(ParameterSet& set, std::int64_t rank, std::int64_t seed) {
  Random random(static_cast<std::uint64_t>(seed));
  for (const auto& matrix : set.all()) {
    if (!matrix->is_matrix || matrix->layer < 0) continue;
    auto adapter = std::make_unique<Adapter>();
    adapter->matrix = matrix.get();
    const Shape shape = matrix->value.shape();
    std::copy_n(matrix->value.view().data, shape.size(),
                adapter->base.resize(shape.rows, shape.cols).data);
    start(adapter->down, *matrix, "down", {rank, shape.cols});
    start(adapter->up, *matrix, "up", {shape.rows, rank});
    const double spread = 1 / std::sqrt(static_cast<double>(shape.cols));  // as a linear starts
    for (std::int64_t i = 0; i < adapter->down.size(); ++i)
      adapter->down.value.view().data[i] = static_cast<float>(
          spread * 2 * (random.uniform() + random.uniform() + random.uniform() - 1.5));
    all_.push_back(std::move(adapter));
  }
}

std::vector<Parameter*> Adapters::parameters() const {
  std::vector<Parameter*> parameters;
  for (const auto& adapter : all_) {
    parameters.push_back(&adapter->down);
    parameters.push_back(&adapter->up);
  }
  return parameters;
}

void Adapters::clear_gradients(Runtime&) {
  for (const auto& adapter : all_) {
    clear(adapter->down.gradient.view());
    clear(adapter->up.gradient.view());
  }
}

void Adapters::take_gradients(Runtime& runtime) {
  for (const auto& adapter : all_) {
    const auto dw = std::as_const(adapter->matrix->gradient).view();
    const auto down = std::as_const(adapter->down.value).view();
    const auto up = std::as_const(adapter->up.value).view();
    const auto turned = turned_.resize(down.cols, down.rows);
    kernels::transpose(runtime, down, turned);
    kernels::add_product(runtime, dw, turned, adapter->up.gradient.view());
    kernels::add_turned_product(runtime, up, dw, adapter->down.gradient.view());
  }
}

void Adapters::apply(Runtime& runtime) {
  for (const auto& adapter : all_) {
    const auto w = adapter->matrix->value.view();
    std::copy_n(adapter->base.view().data, w.rows * w.cols, w.data);
    kernels::add_product(runtime, std::as_const(adapter->up.value).view(),
                         std::as_const(adapter->down.value).view(), w);
  }
}

std::vector<Parameter*> select_part(ParameterSet& set, Part part) {
  std::vector<Parameter*> trained;
  for (const auto& parameter : set.all()) {
    const bool matrix = parameter->is_matrix;
    const bool itself = part == Part::kAll || (!matrix && part != Part::kAdapters);
    const bool stood_for =
        matrix && (part == Part::kScales || (part == Part::kAdapters && parameter->layer >= 0));
    if (itself)
      trained.push_back(parameter.get());
    else if (!stood_for)
      parameter->gradient = {};
  }
  return trained;
}

}  // namespace farthing::train
