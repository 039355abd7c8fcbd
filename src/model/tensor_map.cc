#include "model/tensor_map.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/bitmask_matrix.h"
#include "io/input_order.h"

namespace farthing::model {
namespace {

// (in, out) as stored to (out, in). Elements of 2 or 4 bytes.
QuantizedTensor transpose(const QuantizedTensor& stored) {
  const std::int64_t in = stored.shape.rows, out = stored.shape.cols;
  QuantizedTensor turned = allocate_tensor({out, in}, stored.scheme);
  const std::size_t width = turned.parts[0].size() / static_cast<std::size_t>(in * out);
  const std::byte* from = stored.parts[0].view().data();
  std::byte* to = turned.parts[0].writable().data();
  for (std::int64_t i = 0; i < in; ++i)
    for (std::int64_t o = 0; o < out; ++o)
      std::memcpy(to + static_cast<std::size_t>(o * in + i) * width,
                  from + static_cast<std::size_t>(i * out + o) * width, width);
  return turned;
}

constexpr std::string_view kRows = ".rows.";

std::string shape_text(Shape shape) { return fmt::format("[{}, {}]", shape.rows, shape.cols); }

}  // namespace

std::string part_name(const std::string& base, int part) {
  return fmt::format("{}{}{}", base, kRows, part);
}

std::string TensorUnit::whole() const {
  return part < 0 ? base : base.substr(0, base.rfind(kRows));
}

TensorMap::TensorMap(const Architecture& architecture, const ModelConfig& config,
                     const io::Checkpoint& checkpoint)
    : architecture_(architecture), config_(config), checkpoint_(checkpoint) {
  std::string_view embedding;
  for (auto rows : architecture.tensors)
    for (const TensorRow& row : rows)
      if (row.slot == Slot::kEmbedding && embedding.empty())
        embedding = checkpoint.is_gguf() ? row.gguf_name : row.hf_name;
  if (has(std::string(embedding))) return;
  const std::string first(embedding.substr(0, embedding.find('.') + 1));
  if (has(std::string(embedding.substr(first.size())))) {
    drop_prefix_ = first;
  } else {
    for (std::string_view prefix :
         {"model.", "transformer.", "language_model.", "model.language_model."})
      if (has(std::string(prefix) + std::string(embedding))) add_prefix_ = prefix;
    if (add_prefix_.empty())
      bad_input(
          "{}: no tensor {}.weight, which every {} checkpoint has; does config.json belong to "
          "these weights?",
          checkpoint.path(), embedding, architecture.name);
  }
}

std::string TensorMap::name_of(const TensorRow& row, int layer, int expert, int head) const {
  std::string_view pattern = checkpoint_.is_gguf() ? row.gguf_name : row.hf_name;
  if (pattern.empty()) return "";
  if (!drop_prefix_.empty() && pattern.starts_with(drop_prefix_))
    pattern.remove_prefix(drop_prefix_.size());
  return add_prefix_ +
         substitute(substitute(substitute(pattern, "{L}", layer), "{E}", expert), "{H}", head);
}

bool TensorMap::has(const std::string& base) const {
  return has_whole(base) || has_whole(part_name(base, 0));
}

bool TensorMap::has_whole(const std::string& base) const {
  return checkpoint_.find(base + ".weight") != nullptr || checkpoint_.find(base) != nullptr ||
         checkpoint_.find(base + ".weight_packed") != nullptr ||
         checkpoint_.find(base + ".qweight") != nullptr || io::is_bitmask(checkpoint_, base);
}

std::string TensorMap::expected_name(Slot slot) const {
  for (auto rows : architecture_.tensors)
    for (const TensorRow& row : rows)
      if (row.slot == slot) return name_of(row, -1, -1);
  return "";
}

bool TensorMap::has_row(Slot slot) const {
  for (auto rows : architecture_.tensors)
    for (const TensorRow& row : rows)
      if (row.slot == slot) return true;
  return false;
}

std::optional<TensorUnit> TensorMap::find(Slot slot, int layer, int expert) const {
  for (auto rows : architecture_.tensors)
    for (const TensorRow& row : rows) {
      if (row.slot != slot) continue;
      std::string base = name_of(row, layer, expert);
      if (base.empty() || !has_whole(base)) continue;
      const bool together = is_expert(slot) && row.hf_name.find("{E}") == std::string_view::npos;
      const bool sliced = is_expert(slot) && (checkpoint_.is_gguf() || together);
      return TensorUnit{.slot = slot,
                        .layer = layer,
                        .expert = expert,
                        .base = std::move(base),
                        .row = &row,
                        .slice = sliced ? expert : 0,
                        .slices = sliced ? static_cast<int>(config_.experts) : 1};
    }
  return std::nullopt;
}

std::vector<TensorUnit> TensorMap::find_rows(Slot slot, int layer, int expert) const {
  if (auto whole = find(slot, layer, expert)) return {std::move(*whole)};
  std::vector<TensorUnit> parts;
  for (auto rows : architecture_.tensors)
    for (const TensorRow& row : rows) {
      if (row.slot != slot || !parts.empty()) continue;
      const std::string base = name_of(row, layer, expert);
      for (int part = 0; !base.empty() && has_whole(part_name(base, part)); ++part)
        parts.push_back({.slot = slot,
                         .layer = layer,
                         .expert = expert,
                         .base = part_name(base, part),
                         .row = &row,
                         .part = part});
    }
  return parts;
}

void TensorMap::require_whole(std::string_view by) const {
  for (const TensorUnit& unit : linears())
    if (unit.part >= 0)
      unsupported(
          "{}: {} is stored in parts of its rows, and {} wants it whole; compress the model "
          "without split_vocabulary",
          printable(checkpoint_.path(), 400), printable(unit.whole()), by);
}

std::vector<TensorUnit> TensorMap::linears_of(int layer) const {
  std::vector<TensorUnit> units;
  const auto add = [&](Slot slot, int expert = -1) {
    for (TensorUnit& unit : find_rows(slot, layer, expert)) units.push_back(std::move(unit));
  };
  if (layer < 0) {
    for (Slot slot : {Slot::kEmbedding, Slot::kProjectIn, Slot::kProjectOut}) add(slot);
    if (!config_.tied) add(Slot::kHead);
    return units;
  }
  for (Slot slot : {Slot::kQkv, Slot::kQ, Slot::kK, Slot::kV, Slot::kO, Slot::kGateUp, Slot::kGate,
                    Slot::kUp, Slot::kDown, Slot::kRouter})
    add(slot);
  if (config_.sparse(layer))
    for (int e = 0; e < config_.experts; ++e)
      for (Slot slot : {Slot::kExpertGateUp, Slot::kExpertGate, Slot::kExpertUp, Slot::kExpertDown})
        add(slot, e);
  return units;
}

std::vector<TensorUnit> TensorMap::linears() const {
  std::vector<TensorUnit> units = linears_of(-1);
  for (int layer = 0; layer < config_.layers; ++layer)
    for (TensorUnit& unit : linears_of(layer)) units.push_back(std::move(unit));
  return units;
}

QuantizedTensor TensorMap::load(const TensorUnit& unit) const {
  auto matrix = checkpoint_.matrix(unit.base, unit.slice, unit.slices);
  if (!matrix) bad_input("{}: tensor {} is missing", checkpoint_.path(), printable(unit.base));
  Shape wanted = slot_shape(unit.slot, config_, unit.layer);
  if (unit.part >= 0) wanted.rows = std::clamp<std::int64_t>(matrix->shape.rows, 1, wanted.rows);
  const bool turn =
      unit.row->transposed && !checkpoint_.is_gguf() && matrix->format->grid == nullptr;
  if (turn) std::swap(wanted.rows, wanted.cols);
  if (wanted.cols != 0 && matrix->shape != wanted)
    bad_input(
        "{}: {} must have the shape {} that the configuration asks for; got {}; is it that of "
        "another "
        "model?",
        checkpoint_.path(), printable(unit.base), shape_text(wanted), shape_text(matrix->shape));
  return turn ? transpose(*matrix) : std::move(*matrix);
}

std::vector<float> TensorMap::load_vector(const std::string& name) const {
  const auto matrix = checkpoint_.matrix(name);
  if (!matrix) return {};
  std::vector<float> numbers(static_cast<std::size_t>(matrix->shape.size()));
  matrix->format->dequantize(*matrix, 0, {numbers.data(), matrix->shape.rows, matrix->shape.cols});
  return numbers;
}

std::vector<float> TensorMap::load_heads(const TensorUnit& unit, std::int64_t heads) const {
  const TensorRow& row = *unit.row;
  if (checkpoint_.is_gguf() || row.hf_name.find("{H}") == std::string_view::npos)
    return load_vector(unit.base);
  std::vector<float> all;
  for (int head = 0; head < heads; ++head) {
    const auto one = load_vector(name_of(row, unit.layer, unit.expert, head));
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::vector<std::int32_t> TensorMap::row_order_of(const TensorUnit& unit, std::int64_t rows) const {
  return row_order(checkpoint_.is_gguf() ? unit.row->gguf_order : unit.row->order, config_, rows);
}

std::vector<std::int32_t> TensorMap::input_order_of(const TensorUnit& unit,
                                                    const QuantizedTensor& matrix) const {
  if (checkpoint_.is_gguf() || unit.slices > 1 || matrix.format->grid == nullptr) return {};
  return io::input_order(checkpoint_, unit.base, matrix.shape.cols,
                         matrix.format->grid(matrix).group_size,
                         printable(checkpoint_.path(), 400));
}

std::vector<float> TensorMap::load_bias(const TensorUnit& unit) const {
  if (unit.slices > 1) return {};
  std::vector<float> stored = load_vector(unit.base + ".bias");
  if (stored.empty()) return stored;
  Shape shape = slot_shape(unit.slot, config_, unit.layer);
  if (unit.part >= 0) shape = load(unit).shape;
  if (static_cast<std::int64_t>(stored.size()) != shape.rows)
    bad_input("{}: {}.bias must have {} numbers; got {}", checkpoint_.path(), printable(unit.base),
              shape.rows, stored.size());
  const auto order = row_order_of(unit, shape.rows);
  if (order.empty()) return stored;
  std::vector<float> bias(stored.size());
  for (std::size_t r = 0; r < bias.size(); ++r)
    bias[r] = stored[static_cast<std::size_t>(order[r])];
  return bias;
}

namespace {

// What reads a configuration calls it config.json; whose it is, and that a GGUF file's metadata
// says it, is known here.
template <class F>
decltype(auto) with_name_of(const io::Checkpoint& checkpoint, F&& read) {
  constexpr std::string_view kName = "config.json";
  try {
    return read();
  } catch (const Error& error) {
    std::string_view text = error.what();
    if (!text.starts_with(kName)) throw;
    text.remove_prefix(kName.size());
    throw Error(error.fault, printable(checkpoint.path(), 400) +
                                 (checkpoint.is_gguf() ? " (its metadata, in Hugging Face's words)"
                                                       : "/config.json") +
                                 std::string(text));
  }
}

}  // namespace

const Architecture& architecture_of(const io::Checkpoint& checkpoint) {
  return with_name_of(
      checkpoint, [&]() -> const Architecture& { return find_architecture(checkpoint.config()); });
}

ModelConfig config_of(const Architecture& architecture, const io::Checkpoint& checkpoint) {
  ModelConfig config = with_name_of(checkpoint, [&] {
    return read_config(architecture, checkpoint.config(), checkpoint.is_gguf());
  });
  if (!config.tied) return config;
  const TensorMap map(architecture, config, checkpoint);
  const auto embedding = map.find_rows(Slot::kEmbedding), head = map.find_rows(Slot::kHead);
  if (head.empty()) return config;
  const bool whole = head.size() == 1 && embedding.size() == 1;
  const io::TensorInfo* ours = checkpoint.find(head[0].base + ".weight");
  const io::TensorInfo* shared = whole ? checkpoint.find(embedding[0].base + ".weight") : nullptr;
  config.tied = ours != nullptr && shared != nullptr && ours->dtype == shared->dtype &&
                std::ranges::equal(ours->bytes, shared->bytes);
  return config;
}

}  // namespace farthing::model
