// How what is converted is cut into files.
#pragma once

#include <cstdint>
#include <vector>

#include "io/planned_safetensors.h"

namespace farthing::convert {

inline constexpr std::uint64_t kShardBytes = 256u << 20;

// Shards of whole items (anything with `tensors`, what it writes), in their order; each but the
// last has at least kShardBytes. Borrows the items.
template <class Item>
std::vector<std::vector<const Item*>> cut_shards(const std::vector<Item>& items) {
  std::vector<std::vector<const Item*>> shards(1);
  std::uint64_t bytes = 0;
  for (const Item& item : items) {
    if (bytes >= kShardBytes) shards.emplace_back(), bytes = 0;
    for (const io::PlannedTensor& tensor : item.tensors) bytes += tensor.bytes();
    shards.back().push_back(&item);
  }
  return shards;
}

}  // namespace farthing::convert
