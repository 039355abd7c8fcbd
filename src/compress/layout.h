// Where every tensor of the artefact goes: which shard, in which order, at what size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/plan.h"
#include "io/checkpoint.h"
#include "io/planned_safetensors.h"

namespace farthing::compress {

// One stored matrix that is made anew, or one tensor that is copied as it is.
struct Item {
  const PlannedUnit* unit = nullptr;
  const io::TensorInfo* copied = nullptr;
};

// What is done together: a block, or one thing outside of the blocks.
struct Piece {
  int layer = -1;
  std::vector<Item> items;
};

struct Shard {
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;  // of its tensors, without the header
};

// A unit's tensors in the artefact, in the order of its format's parts, then the multipliers of its
// inputs when it has some, then their scale when that is fixed; experts that a checkpoint keeps in
// one tensor get one more dimension in front.
std::vector<io::PlannedTensor> planned_tensors(const PlannedUnit& unit,
                                               const io::Checkpoint& checkpoint);
io::PlannedTensor planned_tensor(const io::TensorInfo& copied);

// All tensors but those of `dropped`, in shards of whole pieces with at least shard_bytes each (but
// the last): a shard is what a run that was stopped does not do again. Depends on nothing but its
// arguments. The plan and the checkpoint are borrowed.
std::vector<Shard> lay_out(const Plan& plan, const io::Checkpoint& checkpoint,
                           const std::vector<std::string>& dropped, std::uint64_t shard_bytes);

}  // namespace farthing::compress
