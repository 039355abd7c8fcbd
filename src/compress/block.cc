#include "compress/block.h"

#include "compress/slab.h"
#include "formats/format.h"

namespace farthing::compress {

using model::Slot;

void read_floats(Runtime& runtime, const model::TensorMap& map, const PlannedUnit& unit, int slice,
                 Matrix<float>& out) {
  model::TensorUnit source = unit.unit;
  source.slice = slice;
  const QuantizedTensor stored = map.load(source);
  const auto floats = out.resize(stored.shape.rows, stored.shape.cols);
  read_rows(runtime, {map.checkpoint().path(), unit, slice}, stored, 0, floats);
  map.checkpoint().release(stored);
}

Block::Block(Runtime& runtime, const model::TensorMap& map, const Plan& plan, int layer)
    : runtime_(runtime), map_(map), layer_(layer) {
  for (const PlannedUnit& unit : plan.units) {
    if (unit.unit.layer != layer) continue;
    for (int slice = 0; slice < unit.slices; ++slice)
      places_.push_back({&unit, unit.slices > 1 ? slice : unit.unit.expert, slice});
  }
}

const calibrate::LinearStatistics* Block::inputs(Slot slot, int expert) const {
  const auto found = inputs_.find({calibrate::stage_of(slot), expert});
  return found == inputs_.end() ? nullptr : &found->second;
}

BlockMatrix* Block::find(Slot slot, int expert) {
  for (const Place& place : places_)
    if (place.unit->unit.slot == slot && place.expert == expert) return &load(place);
  return nullptr;
}

BlockMatrix& Block::load(const Place& place) {
  auto& matrix = matrices_[{place.unit->base, place.slice}];
  if (matrix != nullptr) return *matrix;
  matrix = std::make_unique<BlockMatrix>();
  matrix->unit = place.unit;
  matrix->expert = place.expert;
  matrix->slice = place.slice;
  read_floats(runtime_, map_, *place.unit, place.slice, matrix->values);
  matrix->order = map_.row_order_of(place.unit->unit, matrix->values.shape().rows);
  return *matrix;
}

std::vector<float> Block::vector(const std::string& name) const {
  const auto found = vectors_.find(name);
  if (found == vectors_.end()) return map_.load_vector(name);
  std::vector<float> values(static_cast<std::size_t>(found->second.shape.cols));
  found->second.format->dequantize(found->second, 0, {values.data(), 1, found->second.shape.cols});
  return values;
}

std::vector<float> Block::set_vector(const std::string& name, std::span<const float> values) {
  const auto stored = map_.checkpoint().matrix(name).value();
  vectors_.insert_or_assign(name, make_vector(values, stored.scheme));
  return vector(name);
}

void Block::add_vector(const std::string& name, std::span<const float> values) {
  vectors_.insert_or_assign(name, make_vector(values));
}

}  // namespace farthing::compress
