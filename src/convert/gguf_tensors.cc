#include "convert/gguf_tensors.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "model/config_words.h"
#include "model/weights.h"

namespace farthing::convert {
namespace {

using model::Slot;
using model::TensorRow;
using model::TensorUnit;

constexpr Slot kBlockNorms[] = {Slot::kAttentionNorm, Slot::kPostAttentionNorm, Slot::kMlpNorm,
                                Slot::kPostMlpNorm};

std::vector<std::int32_t> range(std::int64_t first, std::int64_t count) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<std::int32_t>(first) + static_cast<std::int32_t>(i);
  return rows;
}

class Lister {
 public:
  Lister(const model::TensorMap& map, const model::Architecture& target)
      : map_(map), target_(target), config_(map.config()) {}

  std::vector<GgufItem> list() {
    for (const Slot slot : {Slot::kProjectIn, Slot::kProjectOut})
      if (const auto unit = map_.find(slot)) row_for(slot, *unit);  // refuses
    for (const Slot slot : {Slot::kEmbedding, Slot::kPositionEmbedding})
      if (const auto unit = map_.find(slot)) add_matrix(*unit);
    add_norm(Slot::kEmbeddingNorm, -1);
    add_rope_factors();
    for (int layer = 0; layer < config_.layers; ++layer) add_block(layer);
    add_norm(Slot::kFinalNorm, -1);
    if (!config_.tied) add_matrix(map_.find(Slot::kHead).value());
    return std::move(items_);
  }

 private:
  // The row of the file's architecture: the one that the tensor came by, else the first with a name
  // (experts and routers have several spellings, other slots do not).
  const TensorRow& row_for(Slot slot, const TensorUnit& unit) const {
    const TensorRow* found = nullptr;
    for (const auto rows : target_.tensors)
      for (const TensorRow& row : rows) {
        if (row.slot != slot || row.gguf_name.empty()) continue;
        if (&row == unit.row) return row;
        if (found == nullptr) found = &row;
      }
    const bool respelled = model::is_expert(slot) || slot == Slot::kRouter;
    if (found == nullptr || (unit.row->gguf_name.empty() && !respelled))
      unsupported("{}: llama.cpp's {} has no tensor for {}, so GGUF cannot hold the model",
                  printable(map_.checkpoint().path(), 400), target_.name, printable(unit.base));
    return *found;
  }

  static std::string name_of(const TensorRow& row, int layer, std::string_view end) {
    return substitute(row.gguf_name, "{L}", layer) + std::string(end);
  }

  // Row r of the file's matrix is the stored row order[r].
  std::vector<std::int32_t> order_of(const TensorRow& row, const TensorUnit& unit,
                                     std::int64_t rows) const {
    const std::vector<std::int32_t> stored = map_.row_order_of(unit, rows);
    const std::vector<std::int32_t> placed = model::row_order(row.gguf_order, config_, rows);
    if (stored == placed) return {};
    if (placed.empty()) return stored;
    std::vector<std::int32_t> order(static_cast<std::size_t>(rows));
    for (std::size_t r = 0; r < order.size(); ++r)
      order[static_cast<std::size_t>(placed[r])] =
          stored.empty() ? static_cast<std::int32_t>(r) : stored[r];
    return order;
  }

  void add_vector(std::string name, Slot slot, std::vector<float> numbers,
                  std::vector<std::int64_t> stored = {}) {
    if (numbers.empty()) return;
    GgufItem item;
    item.name = std::move(name);
    item.slot = slot;
    item.stored = std::move(stored);
    if (item.stored.empty()) item.stored = {static_cast<std::int64_t>(numbers.size())};
    item.shape = {1, static_cast<std::int64_t>(numbers.size())};
    item.numbers = std::move(numbers);
    items_.push_back(std::move(item));
  }

  void add_bias(const TensorRow& row, const TensorUnit& unit) {
    const std::vector<float> bias = map_.load_bias(unit);
    const auto placed =
        model::row_order(row.gguf_order, config_, static_cast<std::int64_t>(bias.size()));
    std::vector<float> moved = bias;
    for (std::size_t r = 0; r < placed.size(); ++r)
      moved[static_cast<std::size_t>(placed[r])] = bias[r];
    add_vector(name_of(row, unit.layer, ".bias"), unit.slot, std::move(moved));
  }

  Shape shape_of(Slot slot, int layer, const TensorUnit& unit) const {
    const Shape shape = model::slot_shape(slot, config_, layer);
    return slot == Slot::kPositionEmbedding ? map_.load(unit).shape : shape;
  }

  void add_matrix(const TensorUnit& unit) {
    const TensorRow& row = row_for(unit.slot, unit);
    GgufItem item;
    item.name = name_of(row, unit.layer, ".weight");
    item.slot = unit.slot;
    item.shape = shape_of(unit.slot, unit.layer, unit);
    item.stored = {item.shape.rows, item.shape.cols};
    item.slices.push_back({unit, order_of(row, unit, item.shape.rows)});
    items_.push_back(std::move(item));
    add_bias(row, unit);
  }

  // All experts of a layer are one tensor; gate and up that are stored together come apart.
  void add_experts(const std::vector<TensorUnit>& units, Slot slot, std::int64_t first_row) {
    if (units.empty()) return;
    const TensorRow& row = row_for(slot, units.front());
    GgufItem item;
    item.name = name_of(row, units.front().layer, ".weight");
    item.slot = slot;
    item.shape = model::slot_shape(slot, config_, units.front().layer);
    item.stored = {static_cast<std::int64_t>(units.size()), item.shape.rows, item.shape.cols};
    const bool apart = units.front().slot != slot;
    for (const TensorUnit& unit : units)
      item.slices.push_back(
          {unit, apart ? range(first_row, item.shape.rows) : order_of(row, unit, item.shape.rows)});
    items_.push_back(std::move(item));
  }

  void add_norm(Slot slot, int layer) {
    const auto unit = map_.find(slot, layer);
    if (!unit) return;
    const model::Norm norm = model::load_norm(map_, slot, layer);
    if (!norm) return;
    const TensorRow& row = row_for(slot, *unit);
    const auto count = static_cast<std::int64_t>(norm.weight.size());
    std::vector<std::int64_t> stored = {count};
    const bool by_head = slot == Slot::kQNorm || slot == Slot::kKNorm;
    if (by_head && config_.block.head_norm == model::HeadNorm::kPerHead &&
        count != config_.head_dim)
      stored = {count / config_.head_dim, config_.head_dim};
    add_vector(name_of(row, layer, ".weight"), slot, norm.weight, std::move(stored));
    add_vector(name_of(row, layer, ".bias"), slot, norm.bias);
  }

  void add_rope_factors() {
    const model::RopeConfig& rope = config_.rope;
    if (config_.block.position != model::PositionKind::kRope) return;
    if (const auto unit = map_.find(Slot::kRopeFactors))
      add_vector("rope_freqs.weight", Slot::kRopeFactors, map_.load_vector(unit->base));
    add_vector("rope_freqs.weight", Slot::kRopeFactors,
               model::llama3_factors(rope, config_.rotary_dim));
    for (const auto& [name, factors] : {std::pair{"rope_factors_long.weight", &rope.long_factors},
                                        {"rope_factors_short.weight", &rope.short_factors}})
      add_vector(name, Slot::kRopeFactors, {factors->begin(), factors->end()});
  }

  void add_block(int layer) {
    for (const Slot slot : kBlockNorms) add_norm(slot, layer);
    if (config_.block.head_norm != model::HeadNorm::kNone)
      for (const Slot slot : {Slot::kQNorm, Slot::kKNorm}) add_norm(slot, layer);
    std::vector<TensorUnit> gates, ups, pairs, downs;
    for (TensorUnit& unit : map_.linears_of(layer)) {
      switch (unit.slot) {
        case Slot::kExpertGate:
          gates.push_back(std::move(unit));
          break;
        case Slot::kExpertUp:
          ups.push_back(std::move(unit));
          break;
        case Slot::kExpertGateUp:
          pairs.push_back(std::move(unit));
          break;
        case Slot::kExpertDown:
          downs.push_back(std::move(unit));
          break;
        default:
          add_matrix(unit);
      }
    }
    add_experts(gates, Slot::kExpertGate, 0);
    add_experts(ups, Slot::kExpertUp, 0);
    add_experts(pairs, Slot::kExpertGate, 0);
    add_experts(pairs, Slot::kExpertUp, config_.expert_intermediate);
    add_experts(downs, Slot::kExpertDown, 0);
  }

  const model::TensorMap& map_;
  const model::Architecture& target_;
  const model::ModelConfig& config_;
  std::vector<GgufItem> items_;
};

}  // namespace

std::vector<GgufItem> list_tensors(const model::TensorMap& map, const model::Architecture& target) {
  return Lister(map, target).list();
}

}  // namespace farthing::convert
