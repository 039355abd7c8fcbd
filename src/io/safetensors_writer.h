// Writes safetensors files: the same tensors give the same bytes, and a file is there whole or not
// at all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/checkpoint.h"
#include "io/planned_safetensors.h"

namespace farthing::io {

// The file's first bytes: header length and header, padded so that the data is aligned to 64 bytes.
// Tensors lie in the order of `order`: widest dtype first, then by name, so that none lies
// misaligned. "format": "pt" is among the metadata, as transformers demands.
struct SafetensorsLayout {
  std::string head;
  std::vector<std::size_t> order;  // indices into the tensors, as they follow the head
};
SafetensorsLayout safetensors_layout(std::span<const TensorInfo> tensors);
SafetensorsLayout safetensors_layout(std::span<const PlannedTensor> tensors);

// Writes, syncs to disk and renames into place. Error: out of resources, when the disk is full or a
// quota is reached; bad input, when the place cannot be written.
void write_safetensors(const std::string& path, std::span<const TensorInfo> tensors);

// The parts of a quantised matrix as tensors, borrowed. `base` is its name without ".weight".
// Tensors of one row can be written as vectors (`vector`), as norms are.
std::vector<TensorInfo> tensors_of(std::string_view base, const QuantizedTensor& matrix);

}  // namespace farthing::io
