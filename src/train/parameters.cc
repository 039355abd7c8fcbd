#include "train/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "tensor/float16.h"

namespace farthing::train {
namespace {

using model::Slot;

// With ".weight", or without where the file does so (biases, single vectors); null when the tensor
// is compressed and has parts of other names.
const io::TensorInfo* info_of(const model::TensorMap& map, const std::string& base) {
  for (const std::string& name : {base + ".weight", base})
    if (const io::TensorInfo* info = map.checkpoint().find(name)) return info;
  return nullptr;
}
std::string name_of(const model::TensorMap& map, const std::string& base) {
  const io::TensorInfo* info = info_of(map, base);
  return info != nullptr ? info->name : base + ".weight";
}

std::unique_ptr<Parameter> start(const model::TensorMap& map, const std::string& base, int layer,
                                 ParameterSet::Use use) {
  auto parameter = std::make_unique<Parameter>();
  parameter->name = name_of(map, base);
  parameter->layer = layer;
  const io::TensorInfo* info = info_of(map, base);
  if (info != nullptr) {
    parameter->dtype = info->dtype;
    parameter->shape = info->shape;
  }
  if (use == ParameterSet::Use::kGradients) return parameter;
  const bool is_float =
      info != nullptr && (info->dtype == "BF16" || info->dtype == "F16" || info->dtype == "F32");
  if (!is_float || map.checkpoint().is_gguf())
    unsupported(
        "{}: {} is {}; training changes the BF16, F16 or F32 weights of a Hugging Face directory, "
        "so give the checkpoint that this was made from",
        printable(map.checkpoint().path(), 400), printable(base),
        info == nullptr ? "compressed" : info->dtype);
  return parameter;
}

void check_finite(const model::TensorMap& map, const Parameter& parameter) {
  const auto values = parameter.value.view();
  for (std::int64_t r = 0; r < values.rows; ++r)
    for (std::int64_t c = 0; c < values.cols; ++c)
      if (!std::isfinite(values.row_data(r)[c]))
        bad_input("{}: {} has {} in row {}, column {}; weights must be numbers",
                  printable(map.checkpoint().path(), 400), printable(parameter.name),
                  values.row_data(r)[c], r, c);
}

void add_gradient(Parameter& parameter) {
  const Shape shape = parameter.value.shape();
  const auto gradient = parameter.gradient.resize(shape.rows, shape.cols);
  std::fill_n(gradient.data, shape.size(), 0.0f);
}

}  // namespace

Parameter* ParameterSet::add(std::unique_ptr<Parameter> parameter) {
  add_gradient(*parameter);
  by_name_.emplace(parameter->name, parameter.get());
  all_.push_back(std::move(parameter));
  return all_.back().get();
}

Parameter* ParameterSet::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Parameter* ParameterSet::find_matrix(const std::string& base) const {
  Parameter* parameter = find(base + ".weight");
  return parameter != nullptr ? parameter : find(base);
}

Parameter* ParameterSet::matrix(const model::TensorMap& map, Slot slot, int layer) {
  const auto unit = map.find(slot, layer);
  if (!unit) return nullptr;
  if (Parameter* known = find(name_of(map, unit->base))) return known;
  auto parameter = start(map, unit->base, layer, use_);
  if (!map.load_vector(unit->base + ".input_multiplier").empty())
    unsupported("{}: {} multiplies its inputs, which gradients do not know",
                printable(map.checkpoint().path(), 400), printable(unit->base));
  const QuantizedTensor stored = map.load(*unit);
  const Shape shape = stored.shape;
  parameter->is_matrix = true;
  parameter->order = map.row_order_of(*unit, shape.rows);
  parameter->turned = unit->row->transposed && !map.checkpoint().is_gguf();
  const auto values = parameter->value.resize(shape.rows, shape.cols);
  for (std::int64_t r = 0; r < shape.rows; ++r)
    stored.format->dequantize(
        stored, parameter->order.empty() ? r : parameter->order[static_cast<std::size_t>(r)],
        values.rows_from(r, 1));
  check_finite(map, *parameter);
  return add(std::move(parameter));
}

Parameter* ParameterSet::bias(const model::TensorMap& map, Slot slot, int layer) {
  const auto unit = map.find(slot, layer);
  if (!unit || map.checkpoint().find(unit->base + ".bias") == nullptr) return nullptr;
  if (Parameter* known = find(unit->base + ".bias")) return known;
  auto parameter = start(map, unit->base + ".bias", layer, use_);
  const std::vector<float> numbers = map.load_bias(*unit);
  parameter->order = map.row_order_of(*unit, std::ssize(numbers));
  std::ranges::copy(numbers, parameter->value.resize(1, std::ssize(numbers)).data);
  check_finite(map, *parameter);
  return add(std::move(parameter));
}

Parameter* ParameterSet::norm(const model::TensorMap& map, Slot slot, int layer, bool bias) {
  const auto unit = map.find(slot, layer);
  if (!unit) return nullptr;
  if (unit->row->hf_name.find("{H}") != std::string_view::npos)
    unsupported("{}: training does not know norms that are stored head by head ({})",
                printable(map.checkpoint().path(), 400), printable(unit->base));
  if (bias && map.checkpoint().find(unit->base + ".bias") == nullptr) return nullptr;
  const std::string base = bias ? unit->base + ".bias" : unit->base;
  if (Parameter* known = find(name_of(map, base))) return known;
  auto parameter = start(map, base, layer, use_);
  const std::vector<float> numbers = map.load_vector(base);
  std::ranges::copy(numbers, parameter->value.resize(1, std::ssize(numbers)).data);
  check_finite(map, *parameter);
  return add(std::move(parameter));
}

std::int64_t ParameterSet::count() const {
  std::int64_t sum = 0;
  for (const auto& parameter : all_) sum += parameter->size();
  return sum;
}
std::int64_t ParameterSet::trained_count() const {
  std::int64_t sum = 0;
  for (const auto& parameter : all_)
    if (parameter->trains()) sum += parameter->size();
  return sum;
}

void ParameterSet::clear_gradients(Runtime& runtime) {
  for (const auto& parameter : all_) {
    const auto gradient = parameter->gradient.view();
    runtime.parallel(gradient.rows, std::max<std::int64_t>(1, (1 << 16) / (gradient.cols + 1)),
                     [&](std::int64_t begin, std::int64_t end) {
                       std::fill(gradient.row_data(begin), gradient.row_data(end), 0.0f);
                     });
  }
}

std::vector<std::byte> file_bytes(const Parameter& parameter, MatrixView<const float> values) {
  const std::size_t width = parameter.dtype == "F32" ? 4 : 2;
  std::vector<std::byte> bytes(static_cast<std::size_t>(values.rows * values.cols) * width);
  const auto put = [&](std::int64_t at, float value) {
    std::byte* to = bytes.data() + static_cast<std::size_t>(at) * width;
    if (parameter.dtype == "F32") {
      std::memcpy(to, &value, sizeof value);
    } else if (parameter.dtype == "BF16") {
      const Bf16 rounded = to_bf16(value);
      std::memcpy(to, &rounded, sizeof rounded);
    } else {
      const auto rounded = to_fp16(value);
      std::memcpy(to, &rounded, sizeof rounded);
    }
  };
  const bool vector = !parameter.is_matrix;  // a bias is ordered along its one row
  for (std::int64_t r = 0; r < values.rows; ++r)
    for (std::int64_t c = 0; c < values.cols; ++c) {
      std::int64_t row = r, col = c;
      if (!parameter.order.empty()) {
        std::int64_t& moved = vector ? col : row;
        moved = parameter.order[static_cast<std::size_t>(moved)];
      }
      put(parameter.turned ? col * values.rows + row : row * values.cols + col,
          values.row_data(r)[c]);
    }
  return bytes;
}

}  // namespace farthing::train
