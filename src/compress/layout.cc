#include "compress/layout.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "formats/format.h"

namespace farthing::compress {
namespace {

// The name of the tensor that holds a unit's floats: with ".weight", or bare.
const io::TensorInfo* stored_tensor(const PlannedUnit& unit, const io::Checkpoint& checkpoint) {
  const io::TensorInfo* tensor = checkpoint.find(unit.unit.base + ".weight");
  return tensor != nullptr ? tensor : checkpoint.find(unit.unit.base);
}

// "model.layers.3." of "model.layers.3.mlp.down_proj" and its kin: what their block's other tensors
// (norms, biases) begin with. A prefix that another layer shares is none.
std::map<std::string, int> block_prefixes(const Plan& plan) {
  std::map<int, std::string> common;
  for (const PlannedUnit& unit : plan.units) {
    if (unit.unit.layer < 0) continue;
    const auto [entry, is_new] = common.emplace(unit.unit.layer, unit.base);
    if (is_new) continue;
    std::string& prefix = entry->second;
    const auto differ =
        std::mismatch(prefix.begin(), prefix.end(), unit.base.begin(), unit.base.end()).first;
    prefix.erase(differ, prefix.end());
  }
  std::map<std::string, int> prefixes;
  for (auto& [layer, prefix] : common) {
    prefix.erase(prefix.rfind('.') + 1);
    const auto [entry, is_new] = prefixes.emplace(prefix, layer);
    if (!is_new) entry->second = -1;
  }
  return prefixes;
}

int layer_of(const std::string& name, const std::map<std::string, int>& prefixes) {
  for (std::size_t end = name.rfind('.'); end != std::string::npos && end > 0;
       end = name.rfind('.', end - 1)) {
    const auto found = prefixes.find(name.substr(0, end + 1));
    if (found != prefixes.end()) return found->second;
  }
  return -1;
}

std::uint64_t item_bytes(const Item& item, const io::Checkpoint& checkpoint) {
  if (item.copied != nullptr) return item.copied->bytes.size();
  std::uint64_t bytes = 0;
  for (const io::PlannedTensor& tensor : planned_tensors(*item.unit, checkpoint))
    bytes += tensor.bytes();
  return bytes;
}

// What is copied outside of the blocks is a piece; then follow the blocks, then each unit outside
// of them (it may be large): what enters the head is known behind the last block.
std::vector<Piece> make_pieces(const Plan& plan, const io::Checkpoint& checkpoint,
                               const std::vector<std::string>& dropped) {
  std::unordered_map<std::string_view, const PlannedUnit*> made;
  for (const PlannedUnit& unit : plan.units)
    if (!unit.keep && !unit.untied) made.emplace(stored_tensor(unit, checkpoint)->name, &unit);
  std::vector<const io::TensorInfo*> tensors;
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    if (std::find(dropped.begin(), dropped.end(), tensor.name) == dropped.end())
      tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });

  const auto prefixes = block_prefixes(plan);
  std::vector<Piece> pieces(1), ends;
  std::map<int, Piece> blocks;
  for (const io::TensorInfo* tensor : tensors) {
    const auto unit = made.find(tensor->name);
    const bool copied = unit == made.end();
    const Item item{copied ? nullptr : unit->second, copied ? tensor : nullptr};
    const int layer = layer_of(tensor->name, prefixes);
    if (layer >= 0) {
      blocks[layer].layer = layer;
      blocks[layer].items.push_back(item);
    } else if (copied) {
      pieces[0].items.push_back(item);
    } else {
      ends.push_back({-1, {item}});
    }
  }
  for (const PlannedUnit& unit : plan.units)
    if (unit.untied) ends.push_back({-1, {{.unit = &unit, .copied = nullptr}}});
  if (pieces[0].items.empty()) pieces.erase(pieces.begin());
  for (auto& [layer, block] : blocks) pieces.push_back(std::move(block));
  for (Piece& end : ends) pieces.push_back(std::move(end));
  return pieces;
}

}  // namespace

std::vector<io::PlannedTensor> planned_tensors(const PlannedUnit& unit,
                                               const io::Checkpoint& checkpoint) {
  std::vector<io::PlannedTensor> tensors;
  const Format& format = find_format(unit.scheme);
  for (const Part& part : format.parts(unit.written_shape(), unit.scheme)) {
    io::PlannedTensor tensor;
    tensor.name = part.suffix == ".weight" && !unit.is_compressed() && !unit.untied
                      ? stored_tensor(unit, checkpoint)->name
                      : unit.base + std::string(part.suffix);
    tensor.dtype = std::string(part.dtype);
    tensor.shape = part.shape;
    if (unit.slices > 1) {
      if (part.suffix == ".weight_shape")
        tensor.shape = {3};
      else
        tensor.shape.insert(tensor.shape.begin(), unit.slices);
    }
    tensors.push_back(std::move(tensor));
  }
  if (unit.multiplied)
    tensors.push_back({unit.base + ".input_multiplier", "F32", {unit.shape.cols}});
  if (unit.has_static_inputs()) tensors.push_back({unit.base + ".input_scale", "F32", {1}});
  return tensors;
}

io::PlannedTensor planned_tensor(const io::TensorInfo& copied) {
  return {copied.name, copied.dtype, copied.shape};
}

std::vector<Shard> lay_out(const Plan& plan, const io::Checkpoint& checkpoint,
                           const std::vector<std::string>& dropped, std::uint64_t shard_bytes) {
  std::vector<Shard> shards(1);
  for (Piece& piece : make_pieces(plan, checkpoint, dropped)) {
    if (shards.back().bytes >= shard_bytes) shards.emplace_back();
    for (const Item& item : piece.items) shards.back().bytes += item_bytes(item, checkpoint);
    shards.back().pieces.push_back(std::move(piece));
  }
  return shards;
}

}  // namespace farthing::compress
